"""An experiment for a participant's browser: calls that add, wait, fail and tell; a page whose hook fails on demand.

Everything that was executed stands in `session.done`, in order.
"""

import asyncio
from typing import Any

from promptgrimoire import Page, Reject, live, notify, players

DESCRIPTION = "What tests/browser plays."


class Start(Page):
    title = "Start"

    def jsvars(page: Any, player: Any) -> dict[str, Any]:
        return {"done": player.session.done}

    @live
    def add(page: Any, player: Any, what: str) -> list[str]:
        return did(player, what)

    @live
    async def add_slowly(page: Any, player: Any, what: str) -> list[str]:
        """Suspends before anything is written."""
        await asyncio.sleep(1)
        return did(player, what)

    @live
    def give(page: Any, player: Any, to: int, what: str) -> None:
        """A kept event, for one player."""
        notify(player, players(player.session)[to - 1], what, event="Given", keep=True)

    @live
    def fail(page: Any, player: Any) -> None:
        raise ValueError("author's mistake")

    @live
    def refuse(page: Any, player: Any) -> None:
        raise Reject("The market is closed")

    @live(deadline=300)
    async def takes_long(page: Any, player: Any) -> None:
        await asyncio.sleep(0)

    @live
    def break_next(page: Any, player: Any, broken: bool) -> None:
        player.session.broken = broken

    def after_once(page: Any, player: Any) -> None:
        player.left += 1


class Second(Page):
    """# Second page

    Left once: {{ player.left }}.
    """

    def before_once(page: Any, player: Any) -> None:
        if player.session.broken:
            raise ValueError("the hook fails")

    @live
    def add(page: Any, player: Any, what: str) -> None:
        did(player, f"second {what}")


def did(player: Any, what: str) -> list[str]:
    player.session.done.append(what)
    notify(player, players(player.session), what, event="Done")
    return list(player.session.done)


def new_session(session: Any) -> None:
    session.done = []
    session.broken = False


def new_player(player: Any) -> None:
    player.left = 0


page_order = [Start, Second]
