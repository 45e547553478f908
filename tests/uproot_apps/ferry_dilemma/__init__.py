"""Two share a ferry, three times: who rows helps both, who rests only oneself."""

from decimal import Decimal

from promptgrimoire.uproot.fields import *
from promptgrimoire.uproot.smithereens import *

DESCRIPTION = "Ferry dilemma"
SUGGESTED_MULTIPLE = 2


class C:
    ROUNDS = 3


class Context(PlayerContext):
    @property
    def partner(self):
        return self.player.other_in_group

    @property
    def earned(self):
        return sum(then.payoff for _, then in self.player.within(app=__name__).along("round"))


class Pair(GroupCreatingWait):
    group_size = 2

    @classmethod
    def after_grouping(page, group):
        for player, seat in zip(group.players, ["bow", "stern"]):
            player.seat = seat
            player.show_all = False


class Row(Page):
    """Round after round; `cooperate` is what counts."""

    template = f"{__name__}/RowOrRest.html"

    fields = dict(cooperate=RadioField(label="Do you row?", choices=[(True, "I row"), (False, "I rest")]))


def set_payoff(player: PlayerType) -> None:
    row = [player.cooperate, player.context.partner.cooperate]
    player.payoff = Decimal(2 * sum(row)) + (0 if player.cooperate else 3)


class Sync(SynchronizingWait):
    @classmethod
    def all_here(page, group):
        for player in group.players:
            page.pay(player)

    @classmethod
    def pay(page, player):
        set_payoff(player)


class Landed(Page):
    template = "ferry_dilemma/Landed.html"

    @classmethod
    def templatevars(page, player):
        return dict(before=player.within(round=player.round, strict=True).get("cooperate"))


class Harbour(Page):
    @classmethod
    def templatevars(page, player):
        return dict(first=player.within(round=1).strict.cooperate, last=player.cooperate)


page_order = [Pair, Rounds(Row, Sync, Landed, n=C.ROUNDS), Harbour]
