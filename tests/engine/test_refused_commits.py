"""Storage that does not take an entry for a moment (its queue is full), at every point of a way through wait pages.

The way is walked once without, then as often as it wrote entries, each time with a journal that refuses the next of
them. Browsers post again what was not answered and reload when they are told to; nobody else does anything.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from promptgrimoire.errors import GrimoireError, JournalUnavailable
from promptgrimoire.journal.base import Description, Listener
from promptgrimoire.journal.entries import Row
from promptgrimoire.journal.memory import MemoryJournal
from tests.engine.stage import Browser, Server, settle

WAY = '''
class Zero(Page):
    """# Zero"""

    {a}def after_once(page, player):
        player.after = player.get("after", 0) + 1
        {wait}

class Meet(GroupCreatingWait):
    group_size = 2

    {a}def after_grouping(page, group):
        group.pot = group.get("pot", 0) + 1
        {wait}

    {a}def after_once(page, player):
        player.released = player.get("released", 0) + 1
        {wait}

class Play(Page):
    """# Play"""

    timeout = 60

    {a}def before_once(page, player):
        player.entered = player.get("entered", 0) + 1
        {wait}

class Together(SynchronizingWait):
    {a}def all_here(page, group):
        group.total = group.get("total", 0) + 1
        {wait}

class End(Page):
    """# End"""

page_order = [Zero, Meet, Play, Together, End]
'''
_ROUNDS = 12  # of everybody doing what they can


class RefusingJournal(MemoryJournal):
    """Refuses the appends whose numbers are in `refused`, as one does whose queue is full."""

    def __init__(self) -> None:
        super().__init__()
        self.appended = 0
        self.refused = range(0)

    def append(self, listener: Listener, row: Row, description: Description | None = None) -> None:
        self.appended += 1
        if self.appended in self.refused:
            raise JournalUnavailable("too much waits; refused for a moment")
        super().append(listener, row, description)


class _Person:
    """Posts where there is something to post, until it is answered; comes back when they are told to reload."""

    def __init__(self, server: Server, id: int) -> None:
        self._server = server
        self._id = id
        self._browser: Browser | None = None

    async def at(self) -> str:
        about = (await self._server.player(self._id))._about
        page: str = about.get("page", "")
        return "" if about.get("moving") is not None else page.partition("/")[2]

    async def act(self) -> None:
        browser = self._browser
        if browser is None or not browser.up or browser.reloads:
            if browser is not None:
                browser.lose()
            self._browser = browser = self._server.browser(self._id)
            with suppress(GrimoireError):
                await browser.load()
                await browser.connect()
        page = await self.at()
        if page in ("Zero", "Play"):
            with suppress(GrimoireError):
                await self._server.submit(self._id, submission=f"s{self._id}{page}")
        await settle()


async def _walk(server: Server) -> bool:
    """Whether everybody gets to the end."""
    people = [_Person(server, id) for id in (1, 2)]
    for _ in range(_ROUNDS):
        for person in people:
            await person.act()
        await server.clock.advance(4)
        if [await person.at() for person in people] == ["End", "End"]:
            return True
    return False


@pytest.mark.parametrize(("waits", "many"), [(False, 1), (True, 1), (True, 4)])
async def test_a_commit_that_storage_refuses_strands_nobody_and_repeats_nothing(
    tmp_path: Path, waits: bool, many: int
) -> None:
    source = WAY.format(a="async " if waits else "", wait="await asyncio.sleep(0)" if waits else "")
    loaded: Any = None
    entries, refused = 0, -1
    while refused < entries:
        journal = RefusingJournal()
        server = Server(tmp_path, source, journal)
        if loaded is not None:
            server.experiments = loaded
        await server.start()
        loaded = server.experiments
        await server.create(2)
        before = journal.appended
        if refused >= 0:
            journal.refused = range(before + 1 + refused, before + 1 + refused + many)
        assert await _walk(server), f"entry {refused} was refused"
        for id in (1, 2):
            player: Any = await server.player(id)
            group = player.group
            done = player.after, player.released, player.entered, group.pot, group.total
            assert done == (1, 1, 1, 1, 1), f"entry {refused} was refused"
        entries = entries or journal.appended - before
        refused += 1
        await server.crash()
    assert entries > 15
