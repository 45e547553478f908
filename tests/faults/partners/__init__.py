"""Pairs that wait for each other, each with another policy for a partner who does not come."""

from typing import Any

from promptgrimoire import GroupCreatingWait, Page, SynchronizingWait, create_group

POLICIES = ("Wait", "Proceed", "Dissolve", "Elsewhere")


class Start(Page):
    """# Start"""


class Sorry(Page):
    """# Sorry"""


class Pair(SynchronizingWait):
    patience = 1

    def show(page: Any, player: Any) -> bool:
        return bool(player.group is not None and player.group.policy == page.__name__)

    def missing(page: Any, group: Any, absent: Any) -> None:
        group.missed = len(absent)

    def all_here(page: Any, group: Any) -> None:
        group.here = len(group.players)


class Wait(Pair):
    if_missing = "wait"


class Proceed(Pair):
    if_missing = "proceed"


class Dissolve(Pair):
    if_missing = "dissolve"


class Elsewhere(Pair):
    if_missing = Sorry


class Meet(GroupCreatingWait):
    group_size = 2
    patience = 1
    if_missing = "proceed"

    def show(page: Any, player: Any) -> bool:
        return bool(player.id > 2 * len(POLICIES))


class End(Page):
    """# End

    {{ group.get("missed") if group else "alone" }} {{ group.get("here") if group else "" }}"""


def new_player(player: Any) -> None:
    if player.id % 2 == 0 and player.id <= 2 * len(POLICIES):
        partner = player.session.players.get(player.id - 1)
        create_group(player.session, [partner, player]).policy = POLICIES[player.id // 2 - 1]


page_order = [Start, Wait, Proceed, Dissolve, Elsewhere, Meet, End, Sorry]
