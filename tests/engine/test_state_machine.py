"""Whatever happens to a session, what is in memory is what the journal says: a state machine that Hypothesis drives.

The commands: calls that succeed, wait, fail and clean up, kept and page-bound messages, groups, joins, moves, timers,
lost and renewed connections, slow disks, crashes, clean stops, snapshots at any moment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.realtime.calls import CallTable
from promptgrimoire.runtime.host import Host
from promptgrimoire.runtime.mail import Mail
from promptgrimoire.runtime.recovery import rebuild
from promptgrimoire.settings import Limits, Settings
from promptgrimoire.state.session_state import SessionState
from tests.engine.stage import Browser, Server, settle

TORTURE = os.environ.get("GRIMOIRE_TORTURE") == "1"

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def add(page, player, by: int):
        player.session.count += by
        player.session.log.append([player.id, by])
        player.mine = {"by": by, "log": [by]}
        notify(player, player.session, by)
        return player.session.count

    @live
    def nested(page, player, by: int):
        player.session.table.setdefault(str(by % 3), []).append({"by": [by]})
        player.session.table[str(by % 3)][0]["by"].append(by)
        player.session.members ^= {by}
        if by % 4 == 0:
            player.session.table.pop("0", None)
        if by % 5 == 0:
            player.session.log.sort()
            del player.session.log[:2]

    @live
    async def wait(page, player, by: int):
        player.session.count += by
        player.busy = True
        try:
            await gates.wait(f"gate {by % 2}")
            player.session.count += by
            if by % 3 == 0:
                raise ValueError("on purpose")
            return by
        finally:
            player.busy = False
            player.session.cleaned = player.session.get("cleaned", 0) + 1
            send_to(player, f"cleaned {by}", keep=True)

    @live
    def fail(page, player, by: int):
        player.session.log.append("undone")
        create_group(player.session, [player], overwrite=True)
        after(5, rung, player, "undone")
        send_to(player.session, "undone", keep=True)
        move_to_page(player, 2)
        try:
            raise ValueError("on purpose")
        except ValueError:
            player.failures = player.get("failures", 0) + 1
            player.session.table["failed"] = [player, by]
            if by % 2:
                create_group(player.session, [player], overwrite=True)
                after(by % 7, rung, player, "kept")
            raise

    @live
    def keep(page, player, by: int):
        send_to(player.session, f"kept {by}", keep=True)
        notify(player, others_in_session(player), f"here {by}", keep=True)

    @live
    def group(page, player, by: int):
        members = [other for other in player.session.players if (other.id + by) % 2]
        if members:
            group = create_group(player.session, members, overwrite=True)
            group.pot = [by]
            group.owner = members[0]
        if player.group is not None:
            player.group.seen = player.group.get("seen", 0) + 1

    @live
    def move(page, player, by: int):
        move_to_page(player.session.players[by % len(player.session.players)], by % 4)

    @live
    def timer(page, player, by: int):
        after(by, rung, player, f"timer {by}")

    @live
    def label(page, player, by: int):
        player.label = f"L{player.id} {by % 3}"
        player.drawn = player.rng.random()
        player.blob = str(by) * 11_000  # so that a snapshot pauses between records
        player.session.blob = str(by) * 11_000

def rung(player, text):
    player.session.log.append(text)
    send_to(player, text, keep=True)

class Slow(Page):
    """# Slow"""

    async def before_once(page, player):
        player.half = player.get("half", 0) + 1
        await gates.wait("entering")
        player.whole = player.get("whole", 0) + 1

class Broken(Page):
    """# Broken"""

    def before_once(page, player):
        player.never = True
        raise ValueError("on purpose")

class Last(Lab):
    """# Last"""

def new_session(session):
    session.count = 0
    session.log = []
    session.table = {}
    session.members = {0}

def new_player(player):
    player.session.log.append(player)

def on_connect(player):
    player.connects = player.get("connects", 0) + 1

def on_disconnect(player, reason):
    player.session.log.append(reason)

@every(7)
def tick(session):
    session.ticks = session.get("ticks", 0) + 1

page_order = [Lab, Slow, Broken, Last]
'''

METHODS = ["add", "nested", "wait", "fail", "keep", "group", "move", "timer", "label"]


def described(table: CallTable) -> dict[str, Any]:
    return {
        "stay": table.stay,
        # An interrupted call has no entry of its own: its seq is that at which the session was loaded.
        "outcomes": {
            n: (0 if b'"interrupted"' in message else seq, message)
            for n, (seq, message) in table.outcomes.items()
            if seq
        },
        "started": set(table.started),
    }


def compare(host: Host, fresh: Any) -> None:
    """The host in memory, and what was rebuilt from the journal."""

    def records(state: SessionState) -> dict[str, bytes]:
        texts = {key: state.snapshot(key) for key in state.records}
        return {
            key: text for key, text in texts.items() if not text.startswith(b'{"fields":{},"written":[],"pages":[]')
        }

    live, then = records(host.state), records(fresh.state)
    for key in {*live, *then}:
        assert live.get(key) == then.get(key), key
    for index in ("tokens", "labels", "visitors", "names"):
        assert getattr(host.state, index) == getattr(fresh.state, index), index
    assert list(map(repr, host.state.everybody)) == list(map(repr, fresh.state.everybody))
    assert sorted(map(repr, host.state.groups)) == sorted(map(repr, fresh.state.groups))
    assert host.state.online == fresh.online
    assert (host.chain.seq, host.chain.digest) == (fresh.chain.seq, fresh.chain.digest)
    for player in range(1, len(host.state.everybody) + 1):
        compare_mail(host.deliveries.of(player), fresh.of(player), player)


def compare_mail(live: Mail, then: Mail, player: int) -> None:
    assert live.kept == then.kept, player
    for document, table in then.tables.items():
        # The journal may remember outcomes that the browser has settled since; never the other way round.
        mine = live.tables[document]
        old, new = described(table), described(mine)
        assert new["stay"] == old["stay"]
        assert new["started"] <= old["started"] | set(table.outcomes), (player, document)
        for n, outcome in new["outcomes"].items():
            assert old["outcomes"].get(n) == outcome, (player, document, n)
        assert mine.expected >= table.expected


class Sessions(RuleBasedStateMachine):
    """Every rule ends with everything settled; every invariant compares."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.browsers: list[Browser] = []
        self.told: dict[tuple[str, int], Any] = {}
        self.held = False
        self.visitors = 0

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 10))

    @initialize(players=st.integers(1, 3))
    def begin(self, players: int) -> None:
        limits = Limits(calls_per_second=1e9, call_burst=10**9)
        self.server = Server(Path(self.folder.name), LAB, MemoryJournal(), Settings(limits=limits))

        async def starting() -> None:
            await self.server.start()
            await self.server.create(players)
            for player in range(1, players + 1):
                self.browsers.append(await self.server.opened(player))
            await settle()

        self.run(starting())

    async def _connect(self, browser: Browser) -> None:
        if self.held:
            self.server.journal.release()
            self.held = False
        if browser.reloads or browser.stay == 0:
            browser.lose()
            await browser.load()
            browser.reloads = 0
        await browser.connect()
        await settle()

    @rule(which=st.integers(0, 9), method=st.sampled_from(METHODS), by=st.integers(0, 12))
    def call(self, which: int, method: str, by: int) -> None:
        self.run(self._calls(which, method, [by]))

    async def _calls(self, which: int, method: str, numbers: list[int]) -> None:
        for n, by in enumerate(numbers):
            self.browsers[(which + n * by) % len(self.browsers)].invoke(method, by)
        await settle()

    @rule(which=st.integers(0, 9), method=st.sampled_from(METHODS), numbers=st.lists(st.integers(0, 12), max_size=4))
    def calls_at_once(self, which: int, method: str, numbers: list[int]) -> None:
        self.run(self._calls(which, method, numbers))

    @rule(gate=st.sampled_from(["gate 0", "gate 1", "entering"]))
    def open_gate(self, gate: str) -> None:
        async def opening() -> None:
            self.server.gates.open(gate)
            await settle()
            self.server.gates.shut(gate)

        self.run(opening())

    @rule(which=st.integers(0, 9), told=st.booleans())
    def lose(self, which: int, told: bool) -> None:
        async def losing() -> None:
            browser = self.browsers[which % len(self.browsers)]
            if told or browser.talk is None:
                browser.lose()
            else:
                late = browser.ghost()
                await self._connect(browser)
                late()
            await settle()

        self.run(losing())

    @rule(which=st.integers(0, 9))
    def connect(self, which: int) -> None:
        self.run(self._connect(self.browsers[which % len(self.browsers)]))

    @rule(which=st.integers(0, 9))
    def reload(self, which: int) -> None:
        async def reloading() -> None:
            old = self.browsers[which % len(self.browsers)]
            old.lose()
            new = self.server.browser(old.player, old.tab)
            self.browsers[which % len(self.browsers)] = new
            await self._connect(new)

        self.run(reloading())

    @rule(which=st.integers(0, 9))
    def acknowledge(self, which: int) -> None:
        async def acknowledging() -> None:
            self.browsers[which % len(self.browsers)].acknowledge()
            await settle()

        self.run(acknowledging())

    @rule(which=st.integers(0, 9))
    def submit(self, which: int) -> None:
        async def submitting() -> None:
            player = self.browsers[which % len(self.browsers)].player
            task = asyncio.ensure_future(self.server.submit(player))
            await settle()
            if not task.done():
                task.cancel()
            await settle()

        self.run(submitting())

    @rule(which=st.integers(0, 9))
    def retry(self, which: int) -> None:
        async def retrying() -> None:
            host = await self.server.host()
            token = host._token(self.browsers[which % len(self.browsers)].player)
            task = asyncio.ensure_future(host.retry(token))
            await settle()
            task.cancel()
            await settle()

        self.run(retrying())

    @precondition(lambda self: self.visitors < 4)
    @rule(again=st.booleans())
    def join(self, again: bool) -> None:
        self.visitors += not again

        async def joining() -> None:
            host = await self.server.host()
            task = asyncio.ensure_future(host.join(visitor=f"v{self.visitors}", label=f"J{self.visitors % 3}"))
            await settle()
            task.cancel()
            await settle()

        self.run(joining())

    @rule(seconds=st.sampled_from([0.5, 3, 6, 20]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.server.clock.advance(seconds))

    @precondition(lambda self: not self.held)
    @rule()
    def snapshot(self) -> None:
        async def taking() -> None:
            await self.server.host()
            await self.server.gateway._snapshots[self.server.session].take()

        self.run(taking())

    @precondition(lambda self: not self.held)
    @rule(which=st.integers(0, 9), method=st.sampled_from(METHODS), by=st.integers(0, 12))
    def snapshot_while_calls_come(self, which: int, method: str, by: int) -> None:
        async def taking() -> None:
            host = await self.server.host()
            host.changed |= set(host.state.records)
            taking = asyncio.ensure_future(self.server.gateway._snapshots[self.server.session].take())
            await asyncio.sleep(0)
            for n in range(3):
                self.browsers[which % len(self.browsers)].invoke(method, by + n)
                await asyncio.sleep(0)
            await taking
            await settle()

        self.run(taking())

    @rule()
    def slow_disk(self) -> None:
        async def turning() -> None:
            if self.held:
                self.server.journal.release()
            else:
                self.server.journal.hold()
            self.held = not self.held
            await settle()

        self.run(turning())

    @rule(away=st.sampled_from([0.0, 4.0, 100.0]))
    def crash(self, away: float) -> None:
        async def crashing() -> None:
            await self.server.crash()
            self.held = False
            if away:
                self.server.clock.jump(away)
            await self.server.start()
            await self.server.host()
            await settle()

        self.run(crashing())

    @precondition(lambda self: not self.held)
    @rule()
    def stop(self) -> None:
        async def stopping() -> None:
            await self.server.stop()
            await self.server.start()
            await self.server.host()
            await settle()

        self.run(stopping())

    @invariant()
    def memory_is_what_the_journal_says(self) -> None:
        if not hasattr(self, "server"):
            return

        async def comparing() -> None:
            host = await self.server.host()
            assert host.failure is None
            if self.held:
                return
            await host.durable()
            state = self.server.gateway._new_state(host.id, host.study)
            compare(host, await rebuild(self.server.journal, host.id, state, host.limits))
            snapshots = self.server.journal._snapshots.pop(host.id, None)
            if snapshots is not None:  # and the same without the snapshot
                state = self.server.gateway._new_state(host.id, host.study)
                compare(host, await rebuild(self.server.journal, host.id, state, host.limits))
                self.server.journal._snapshots[host.id] = snapshots

        self.run(comparing())

    @invariant()
    def what_a_browser_was_told_stays_told(self) -> None:
        for browser in self.browsers:
            for n, outcome in browser.settled.items():
                key = browser.document, n
                assert self.told.setdefault(key, outcome) == outcome

    def teardown(self) -> None:
        async def ending() -> None:
            if hasattr(self, "server"):
                await self.server.crash()
            await settle()

        self.run(ending())
        self.loop.close()
        self.folder.cleanup()


@pytest.mark.torture
def test_memory_is_always_what_the_journal_says() -> None:
    logging.disable(logging.CRITICAL)
    try:
        run_state_machine_as_test(
            Sessions,
            settings=settings(
                max_examples=1500 if TORTURE else 20,
                stateful_step_count=60 if TORTURE else 30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
    finally:
        logging.disable(logging.NOTSET)
