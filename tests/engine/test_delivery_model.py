"""Who gets which event, checked over every state that eight actions can reach; equal states are looked at once.

The rules: each event after a document's `base` is handled by it once, in order; a kept event once in each tab, whatever
happens in between; nobody gets what was for others; what belongs to a page dies with the stay.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from promptgrimoire.authoring.messages import move_to_page, send_to
from promptgrimoire.commands import Administered
from promptgrimoire.runtime.activities import Awaited
from tests.engine.stage import Browser, Server, Tab, settle

TORTURE = os.environ.get("GRIMOIRE_TORTURE") == "1"
DEPTH = 8
STATES = None if TORTURE else 130  # where to stop; all of them are 1,156

LAB = '''
class One(Page):
    """# One"""

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''
ACTIONS = ("event", "kept", "cut", "disconnect", "reconnect", "reload", "acknowledge", "snapshot", "restart", "move")


class Story:
    """One sequence of actions, and what has to come of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tab = Tab()
        self.browser: Browser
        self.due: dict[str, list[str]] = {}  # document -> events that it has to handle
        self.kept: list[str] = []
        self.documents: list[Browser] = []
        self.late: list[Callable[[], None]] = []
        self.count = 0

    async def begin(self) -> None:
        await self.server.create(2)
        await self.load()

    async def load(self) -> None:
        self.browser = self.server.browser(1, self.tab)
        self.documents.append(self.browser)
        await self.browser.load()
        self.due[self.browser.document] = []
        await self.browser.connect()
        self.close_late()

    def close_late(self) -> None:
        late, self.late = self.late, []
        for closed in late:
            closed()

    async def stay(self) -> int:
        found: int = (await self.server.player(1))._about["stay"]
        return found

    async def write(self, function: Callable[[], object]) -> None:
        host = await self.server.host()
        run = Awaited(host, Administered("test", "test"), host.activity(host.state.session, "test"))
        host.step(function, run)
        assert run.error is None
        await settle(3)

    async def act(self, action: str) -> None:
        await getattr(self, "_" + action)()
        await settle(3)

    async def _event(self) -> None:
        self.count += 1
        one, two = (await self.server.host()).state.everybody
        name = f"e{self.count}"
        if self.browser.stay == await self.stay():
            self.due[self.browser.document].append(name)

        def send() -> None:
            send_to(two, "of another", keep=self.count % 2 == 0)
            send_to(one, name)
            send_to(one, "of another page", where="Two" if one._about["page"].endswith("One") else "One")

        await self.write(send)

    async def _kept(self) -> None:
        self.count += 1
        one, two = (await self.server.host()).state.everybody
        name = f"k{self.count}"
        self.kept.append(name)

        def send() -> None:
            send_to(one, name, keep=True)
            send_to([two], "of another")

        await self.write(send)

    async def _cut(self) -> None:
        if self.browser.up:
            self.late.append(self.browser.ghost())

    async def _disconnect(self) -> None:
        self.browser.lose()

    async def _reconnect(self) -> None:
        if not self.browser.up:
            await self.browser.connect()
            self.close_late()

    async def _reload(self) -> None:
        self.browser.lose()
        await self.load()

    async def _acknowledge(self) -> None:
        self.browser.acknowledge()

    async def _snapshot(self) -> None:
        await self.server.host()
        await self.server.gateway._snapshots[self.server.session].take()

    async def _restart(self) -> None:
        self.late.clear()
        await self.server.restart()

    async def _move(self) -> None:
        one = (await self.server.host()).state.player(1)
        await self.write(lambda: move_to_page(one, 1 - one.show_page))

    async def state(self) -> tuple[object, ...]:
        """What decides how it goes on; the same for stories that differ only in names and numbers."""
        browser = self.browser
        host = await self.server.host()
        mail = host.deliveries.of(1)
        documents = host.deliveries.documents.get(1, {})
        mine = documents.get(browser.document)
        outcome = [
            browser.up,
            bool(self.late),
            browser.stay == await self.stay(),
            min(len(self.due[browser.document]) - len([e for e in browser.events if e.startswith("e")]), 2),
            min(len(self.kept) - len(self.tab.kept), 2),
            min(len(mail.kept), 2),
            min(len([id for id in mail.kept if id in self.tab.kept]), 1),
            min(len(browser.owed), 1),
            mine is not None and (min(len(mine.outbox), 2), mine.handled == browser.handled, mine.sink is not None),
            min(len(documents), 2),
            host.deliveries.recent.floor > browser.base,
            f"~p{1}" in host.changed,
        ]
        return tuple(outcome)

    async def check(self) -> None:
        """Let everything arrive that has to, and compare."""
        if self.browser.stay != await self.stay():
            await self.act("reload")
        else:
            await self.act("reconnect")
        await settle(5)
        for browser in self.documents:
            events = [event for event in browser.events if event.startswith("e")]
            due = self.due[browser.document]
            if browser is self.browser:
                assert events == due
            else:
                assert events == due[: len(events)]
        kept = [event for browser in self.documents for event in browser.events if event.startswith("k")]
        assert sorted(kept) == sorted(self.kept)
        for browser in self.documents:
            assert not [event for event in browser.events if event.startswith("of another")]
            assert browser.resyncs == 0
        self.browser.acknowledge()
        await settle(3)
        assert (await self.server.host()).deliveries.of(1).kept == {}


async def tell(server: Server, actions: tuple[str, ...]) -> tuple[object, ...]:
    story = Story(server)
    try:
        await story.begin()
        for action in actions:
            await story.act(action)
        state = await story.state()
        await story.check()
    finally:
        for browser in story.documents:
            browser.lose()
        server.browsers.clear()
    return state


@pytest.mark.torture
async def test_evidence_11_every_event_arrives_once_whatever_happens(tmp_path: Path) -> None:
    logging.disable(logging.WARNING)
    server = Server(tmp_path, LAB)
    await server.start()
    seen: set[tuple[object, ...]] = set()
    frontier: list[tuple[str, ...]] = [()]
    told = 0
    try:
        for _ in range(DEPTH):
            following: list[tuple[str, ...]] = []
            for before in frontier:
                for action in ACTIONS:
                    actions = (*before, action)
                    try:
                        state = await tell(server, actions)
                    except AssertionError as error:
                        pytest.fail(f"after {' → '.join(actions)}: {error}")
                    told += 1
                    if state not in seen:
                        seen.add(state)
                        following.append(actions)
            frontier = following
            if STATES is not None and len(seen) > STATES:
                break
    finally:
        await server.crash()
        logging.disable(logging.NOTSET)
    assert len(seen) > (1_000 if STATES is None else 60)
    assert told > 500
