"""A public goods game that goes on when somebody leaves, dawdles, or never comes."""

from promptgrimoire import *

DESCRIPTION = "A game in groups that goes on without those who leave, so that nobody waits for ever."
SUGGESTED_MULTIPLE = 3
DROPOUT_TOLERANCE = 20  # seconds without a connection; a reload takes less


class C:
    PLAYERS = 3
    ROUNDS = 3
    ENDOWMENT = 20
    MULTIPLIER = cu("1.5")
    FOR_WAITING = 10


class Rules(Page):
    pass


class Sorry(Page):
    def show(page, player):
        return player.group is None or player.dropped_out


class Meet(GroupCreatingWait):
    group_size = C.PLAYERS
    min_size = 2  # enough, once somebody has waited for `patience`
    patience = 60
    if_missing = Sorry

    def missing(page, player, absent):
        player.payoff = cu(C.FOR_WAITING)


class Contribute(Page):
    title = "Your contribution"
    fields = dict(
        contribution=IntegerField(
            label="How many points do you put into the project?", min=0, max=C.ENDOWMENT, addon_end="points"
        )
    )


class Together(SynchronizingWait):
    patience = 90
    if_missing = "proceed"

    def missing(page, group, absent):
        for player in absent:  # their window may be open, but the others have waited long enough
            mark_dropout(player)

    def all_here(page, group):
        members = playing(group)
        group.total = sum(members.each("contribution"))
        share = group.total * C.MULTIPLIER / len(members)
        for player in members:
            player.outcome = {"members": len(members), "total": group.total, "share": share}
            player.payoff += C.ENDOWMENT - player.contribution + share


class Outcome(Page):
    pass


class Results(Page):
    pass


def playing(group):
    return group.players.filter(dropped_out=False)


def on_dropout(player):
    """Nobody waits for this player any more: they have been away for too long, or `missing` has said so."""
    if not player.round:
        return  # who leaves before the game or after it leaves nobody behind
    move_to_page(player, Sorry)
    others = playing(player.group)
    if len(others) == 1:
        move_to_page(others[0], Results)
    else:
        for other in others:
            show_message(other, "Somebody of your group has left. The others go on.")


page_order = [Rules, Meet, Rounds(Contribute, Together, Outcome, n=C.ROUNDS), Results, Sorry]
