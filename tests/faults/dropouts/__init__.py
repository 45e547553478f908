"""A pair that waits for each other for as long as it takes, in an app that declares who is away for a second lost."""

from typing import Any

from promptgrimoire import Page, SynchronizingWait, create_group, watch_for_dropout

DROPOUT_TOLERANCE = 1


class Start(Page):
    """# Start"""

    def before_once(page: Any, player: Any) -> None:
        watch_for_dropout(player, noted, tolerance=1)


class Together(SynchronizingWait):
    def all_here(page: Any, group: Any) -> None:
        group.calls = group.get("calls", 0) + 1


class End(Page):
    """# End

    Calls: {{ group.calls }}. Lost: {{ session.lost }}. Noted: {{ session.noted }}."""


def on_dropout(player: Any) -> None:
    player.session.lost += 1


def noted(player: Any) -> None:
    player.session.noted += 1


def new_session(session: Any) -> None:
    session.lost = session.noted = 0


def new_player(player: Any) -> None:
    if player.id == 2:
        create_group(player.session, list(player.session.players))


page_order = [Start, Together, End]
