"""The prisoner's dilemma, repeated with the same partner; after each round chance says whether another one follows."""

from promptgrimoire import *

DESCRIPTION = "Cooperate or defect, again and again: after each round another one follows with probability 0.75."
SUGGESTED_MULTIPLE = 2


class C:
    # What I earn, by (do I cooperate?, does the other one?).
    POINTS = {(True, True): 5, (True, False): 0, (False, True): 8, (False, False): 2}
    CONTINUE_WITH = 0.75


class Rules(Page):
    pass


class Pair(GroupCreatingWait):
    group_size = 2


class Decision(Page):
    fields = dict(cooperate=RadioField(label="What do you do?", choices=[(True, "I cooperate"), (False, "I defect")]))


class Both(SynchronizingWait):
    def all_here(page, group):
        for player in group.players:
            mine, theirs = player.cooperate, player.other_in_group.cooperate
            player.past.append({"mine": mine, "theirs": theirs, "points": C.POINTS[mine, theirs]})
            player.payoff += C.POINTS[mine, theirs]


class Results(Page):
    pass


def new_player(player):
    player.past = []


page_order = [Rules, Pair, Repeat(Decision, Both, continue_with=C.CONTINUE_WITH), Results]
