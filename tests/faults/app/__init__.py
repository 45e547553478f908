"""The experiment under attack: calls that append and tell everybody, in several ways of running; and a look inside.

Everything that was ever executed is in `session.items`; what a browser saw must end equal to it.
"""

import asyncio
import gc
from pathlib import Path
from typing import Any

from promptgrimoire import Page, live, notify, players
from promptgrimoire.realtime.calls import CallTable
from promptgrimoire.realtime.connection import Connection
from promptgrimoire.realtime.outbox import Document
from promptgrimoire.runtime.host import Host

DESCRIPTION = "What tests/faults attacks."


class Play(Page):
    """# Play

    You are {{ player.name }}. <span data-private="{{ player.secret }}"></span>
    """

    def jsvars(page: Any, player: Any) -> dict[str, Any]:
        return {"items": player.session.items, "secret": player.secret}

    @live
    def add(page: Any, player: Any, who: str, n: int) -> list[Any]:
        return apply(player, who, n)

    @live
    async def add_slowly(page: Any, player: Any, who: str, n: int) -> list[Any]:
        """Suspends before anything is written, so that a repeat must wait for it."""
        await asyncio.sleep(0.05)
        return apply(player, who, n)

    @live
    async def add_around(page: Any, player: Any, who: str, n: int) -> list[Any]:
        """Writes, waits long, writes again: what a kill in between leaves behind is answered `interrupted`."""
        player.session.begun.append(f"{who}.{n}")
        notify(player, player, n, event="Begun")
        await asyncio.sleep(0.2)
        return apply(player, who, n)

    @live
    def give(page: Any, player: Any, to: int, n: int) -> None:
        """A kept event, for one player."""
        to_whom = players(player.session)[to - 1]
        notify(player, to_whom, [player.id, n], event="Given", keep=True)

    @live
    def echo(page: Any, player: Any, value: Any = None) -> Any:
        return value

    @live
    def swallow(page: Any, player: Any, value: Any = None) -> None:
        """Takes anything."""

    @live
    def shout(page: Any, player: Any, size: int, to: int = 0) -> None:
        """Something large for everybody, or for one."""
        whom = players(player.session)[to - 1] if to else players(player.session)
        notify(player, whom, "x" * size, event="Shout")

    @live
    def private(page: Any, player: Any) -> str:
        return str(player.secret)

    @live
    def present(page: Any, player: Any) -> list[Any]:
        return [list(line) for line in player.session.presence]

    @live
    def items(page: Any, player: Any) -> list[Any]:
        return [list(item) for item in player.session.items]

    @live(volatile=True)
    def wave(page: Any, player: Any, value: Any = None) -> None:
        notify(player, players(player.session), 1, event="Wave", volatile=True)

    @live
    def counts(page: Any, player: Any) -> dict[str, int]:
        """What lives in this process."""
        gc.collect()
        kinds: dict[str, type] = {"documents": Document, "tables": CallTable, "connections": Connection, "hosts": Host}
        alive = gc.get_objects()
        found = {name: sum(1 for thing in alive if type(thing) is kind) for name, kind in kinds.items()}
        found["tasks"] = len(asyncio.all_tasks())
        found["resident"] = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        found["open"] = len(list(Path("/proc/self/fd").iterdir()))
        return found


class End(Page):
    """# The end"""


def apply(player: Any, who: str, n: int) -> list[Any]:
    player.session.items.append([player.id, who, n])
    notify(player, players(player.session), [player.id, who, n], event="Added")
    return [who, n]


def new_session(session: Any) -> None:
    session.items = []
    session.begun = []
    session.presence = []


def new_player(player: Any) -> None:
    player.secret = f"private-{player.rng.randint(10**9, 10**10)}"


def on_connect(player: Any) -> None:
    player.session.presence.append(["connect", player.id, ""])


def on_disconnect(player: Any, reason: str) -> None:
    player.session.presence.append(["disconnect", player.id, reason])


def on_join(player: Any) -> None:
    player.session.presence.append(["join", player.id, ""])


page_order = [Play, End]
