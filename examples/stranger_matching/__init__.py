"""A stag hunt in three rounds, each with somebody whom the participant has not met before."""

from promptgrimoire import *

DESCRIPTION = "A stag hunt in three rounds with three different partners: nobody meets anybody twice."
SUGGESTED_MULTIPLE = 4


class C:
    ROUNDS = 3
    # What I earn, by (do I hunt the stag?, does the other one?).
    POINTS = {(True, True): 10, (True, False): 0, (False, True): 6, (False, False): 6}


class Rules(Page):
    pass


class Meet(GroupCreatingWait):
    group_size = 2


class Hunt(Page):
    fields = dict(stag=RadioField(label="What do you hunt?", choices=[(True, "The stag"), (False, "A hare")]))


class Both(SynchronizingWait):
    def all_here(page, group):
        for player in group.players:
            # Stored for the outcome: when this player looks at it, the other one may be in the next round already.
            player.partner_stag = player.other_in_group.stag
            player.points = C.POINTS[player.stag, player.partner_stag]


class Outcome(Page):
    pass


class Results(Page):
    def before_once(page, player):
        player.paid_round = random_round(player)
        player.payoff = cu(player.within(round=player.paid_round).points)


page_order = [Rules, Rounds(Meet, Hunt, Both, Outcome, n=C.ROUNDS, match="perfect_strangers"), Results]
