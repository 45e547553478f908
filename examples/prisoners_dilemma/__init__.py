"""The prisoner's dilemma, once: pairs are formed as people arrive, and both decide without knowing about the other."""

from promptgrimoire import *

DESCRIPTION = "Cooperate or defect, once: pairs are formed as people arrive, and both decide at the same time."
SUGGESTED_MULTIPLE = 2


class C:
    # What I earn, by (do I cooperate?, does the other one?).
    POINTS = {(True, True): 5, (True, False): 0, (False, True): 8, (False, False): 2}


class Pair(GroupCreatingWait):
    group_size = 2


class Decision(Page):
    title = "Your decision"
    fields = dict(cooperate=RadioField(label="What do you do?", choices=[(True, "I cooperate"), (False, "I defect")]))


class Both(SynchronizingWait):
    def all_here(page, group):
        for player in group.players:
            player.payoff = C.POINTS[player.cooperate, player.other_in_group.cooperate]


class Results(Page):
    pass


page_order = [Pair, Decision, Both, Results]
