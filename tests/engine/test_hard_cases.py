"""Rare meetings of events: duplicated tabs, lost welcomes, many documents, storage that fails for somebody else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from promptgrimoire.authoring.messages import move_to_page
from promptgrimoire.commands import Administered
from promptgrimoire.errors import JournalUnavailable
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.realtime.protocol import Call
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import code_of, settle

LAB = '''
from dataclasses import dataclass

@dataclass
class Order:
    price: int

    def __post_init__(self):
        {}[self.price]

class Lab(Page):
    """# Lab"""

    @live
    def add(page, player, by: int = 1):
        player.session.count += by
        ran.append(by)
        return player.session.count

    @live
    async def slow(page, player, name: str = "slow"):
        ran.append(name)
        await gates.wait(name)
        return name

    @live(concurrent=True)
    async def aside(page, player, name: str):
        ran.append(name)
        await gates.wait(name)

    @live
    def order(page, player, order: Order):
        ran.append("order")

    @live
    def tell(page, player, what: str):
        notify(player, player, what)

class Two(Page):
    """# Two"""

def new_session(session):
    session.count = 0

page_order = [Lab, Two]
'''


def raw(*arguments: object) -> Any:
    return msgspec.Raw(json.dumps(arguments).encode())


# ---------------------------------------------------------------- calls


async def test_a_call_under_way_is_remembered_after_a_restart_however_many_documents_there_were(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.invoke("aside", "mine")
    await settle()
    for n in range(70):
        other = await server.opened()
        await other.ask("add", n)
        await other.ask("add", n)  # says that the first has settled
        other.lose()
    await server.restart()
    await one.connect()
    await settle()
    assert server.module.ran.count("mine") == 1
    assert code_of(one.settled[1]) == "interrupted"


async def test_carried_calls_are_made_although_the_browser_gave_up_earlier_ones(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("add", 1)
    one.lose()
    one.invoke("add", 2)  # never arrives, and the browser gives it up
    del one.pending[2]
    one.invoke("add", 3)
    calls = [{"n": n, "method": method, "args": arguments} for n, (method, arguments) in one.pending.items()]
    await server.submit(1, one.stay, {"_calls": [json.dumps([{"document": one.document, "calls": calls}])]})
    assert server.module.ran == [1, 3]


async def test_evidence_12_a_duplicated_tab_makes_no_call_again_that_its_original_has_settled(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    slow = one.invoke("slow", "mine")
    await settle()
    two = await server.opened(1, one.tab.duplicate())  # adopts the call that runs
    two.lose()
    server.gates.open("mine")
    await settle()
    assert one.settled[slow] == "mine"
    await one.ask("add", 1)  # and says so
    one.lose()
    await two.connect()
    await settle()
    assert server.module.ran == ["mine", 1]
    assert code_of(two.adopted_settled[one.document, slow]) == "busy"


async def test_evidence_12_a_duplicated_tab_loses_no_outcome_that_its_original_waits_for(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.invoke("slow", "mine")
    await settle()
    two = await server.opened(1, one.tab.duplicate())
    two.lose()
    server.gates.open("mine")
    await settle()
    ghost = one.ghost()
    later = one.next
    one.next += 1
    one.pending[later] = ("add", [5])
    host = await server.host()
    document = host.deliveries.documents[1][one.document]
    host.calls.take(document, Call(later, "add", raw(5)))  # arrived; its answer is lost
    await settle()
    ghost()
    await two.connect()
    await settle()
    await one.connect()
    await settle()
    assert server.module.ran == ["mine", 5]
    assert one.settled[later] == 5


async def test_a_duplicated_tab_makes_no_settled_call_again_after_a_restart(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    slow = one.invoke("slow", "mine")
    await settle()
    two = await server.opened(1, one.tab.duplicate())
    two.lose()
    server.gates.open("mine")
    await settle()
    await one.ask("add", 1)
    for how in ("entries", "snapshot"):
        if how == "snapshot":
            await server.gateway._snapshots[server.session].take()
        await server.restart()
        two.tab.calls[one.document][1][slow] = ("slow", ["mine"])
        await two.connect()
        await settle()
        assert server.module.ran == ["mine", 1]
        two.lose()


async def test_arguments_that_make_author_code_fail_stop_no_other_call(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    outcome = await one.ask("order", {"price": 1})
    assert code_of(outcome) == "error"
    assert outcome["id"]
    assert await one.ask("add", 1) == 1
    assert server.module.ran == [1]


# ---------------------------------------------------------------- events


async def test_evidence_11_a_resync_that_never_arrived_is_said_again(serve: Serve) -> None:
    server = await serve(LAB, settings=Settings(limits=Limits(outbox_events=3)))
    one = await server.opened()
    other = await server.opened()
    one.lose()
    for n in range(5):
        await other.ask("tell", str(n))
    await one.connect()
    assert one.resyncs == 1
    one.lose()

    two = await server.opened()
    two.lose()
    for n in range(5):
        await other.ask("tell", str(n))
    before = two.handled
    await two.connect(resend=False)
    two.lose()
    two.handled, two.resyncs = before, 0  # the welcome was lost on its way
    two.events.clear()
    await two.connect()
    assert two.resyncs == 1


async def test_a_kept_event_of_a_new_player_outlives_a_crash_while_new_player_waits(serve: Serve) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        async def new_player(player):
            send_to(player, "welcome", keep=True)
            player.step = 1
            await gates.wait("new")
            player.step = 2

        page_order = [Lab]
        ''',
        players=0,
    )
    host = await server.host()
    joining = asyncio.ensure_future(host.join(visitor="me"))
    await settle()
    server.gates.open("new")
    await joining
    await server.restart()
    one = await server.opened()
    await settle()
    assert one.events == ["welcome"]


# ---------------------------------------------------------------- storage


async def test_evidence_50_a_page_that_is_over_hears_too_that_storage_failed(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    host = await server.host()
    server.journal.hold()
    run = Awaited(host, Administered("test", "test"), host.activity(host.state.session, "test"))
    host.step(lambda: move_to_page(host.state.player(1), 1), run)
    await settle()
    assert one.reloads == 0
    server.journal.break_storage()
    server.journal.release()
    await settle()
    assert one.byes == ["storage"]
    assert one.sink.closed_with[0] == 1013  # type: ignore[union-attr,index]


async def test_a_deadline_that_storage_refuses_is_tried_again_and_not_in_a_hurry(serve: Serve) -> None:
    source = '''
    class Lab(Page):
        """# Lab"""

        @live
        def add(page, player):
            player.n = 1

    def new_session(session):
        after(60, rung, session)

    def rung(session):
        ran.append("rung")
        session.rung = True

    page_order = [Lab]
    '''
    server = await serve(source)
    host = await server.host()
    other = await server.gateway.create_session("lab", 1)
    server.session, mine = other.id, server.session
    two = await server.opened()
    server.session = mine
    other.timers.stop()
    await settle()
    server.journal.break_storage()
    two.invoke("add")
    await settle()
    assert host.failure is None
    await server.clock.advance(60)
    await settle(200)
    assert len(server.module.ran) <= 3
    server.journal.mend_storage()
    await server.clock.advance(10)
    assert host.state.session.rung is True
    assert host.state.hidden.timers == {}


async def test_storage_comes_back_also_where_no_session_heard_of_the_failure(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    host = await server.host()
    journal: MemoryJournal = server.journal
    await settle()
    journal._failure = JournalUnavailable("the writer's thread has ended")
    assert code_of(await one.ask("add")) == "busy"
    await server.clock.advance(11)
    assert host.failure is None
    assert await one.ask("add") == 1


async def test_a_session_whose_snapshot_fails_is_put_away_for_good(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(LAB, settings=Settings())
    old = await server.host()

    async def fails(*_: object) -> None:
        raise JournalUnavailable("busy")

    monkeypatch.setattr(server.journal, "save", fails)
    await server.clock.advance(700)
    assert server.session not in server.gateway._hosts
    assert old.failure is not None
    new = await server.host()
    assert new is not old


async def test_a_session_that_cannot_be_loaded_when_it_is_due_is_woken_later(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        def new_session(session):
            after(60, rung, session)

        def rung(session):
            session.rung = True

        page_order = [Lab]
        '''
    )
    await server.crash()
    await server.start()
    load = server.journal.load
    tried = []

    async def fails(stream: str) -> Any:
        tried.append(stream)
        if len(tried) < 3:
            raise JournalUnavailable("the disk is busy")
        return await load(stream)

    monkeypatch.setattr(server.journal, "load", fails)
    await server.clock.advance(100)
    (host,) = server.gateway._hosts.values()
    assert host.state.session.rung is True


async def test_author_code_does_not_begin_where_storage_has_failed(serve: Serve) -> None:
    source = '''
    class Lab(Page):
        """# Lab"""

        def templatevars(page, player):
            ran.append("templatevars")

    def new_player(player):
        ran.append("new_player")

    page_order = [Lab]
    '''
    server = await serve(source)
    host = await server.host()
    server.module.ran.clear()
    host.failed(JournalUnavailable("gone"))
    token = host._token(1)
    for asked in (host.page(token), host.join(visitor="new"), host.retry(token)):
        with pytest.raises(JournalUnavailable):
            await asked
    assert server.module.ran == []


# ---------------------------------------------------------------- submissions


async def test_evidence_24_a_second_next_does_not_overtake_an_after_once_that_takes_long(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            async def after_once(page, player):
                ran.append("begun")
                await gates.wait("llm")
                ran.append("ended")
                player.answer = 42

        class Two(Page):
            """# Two"""

            def before_once(page, player):
                ran.append("two")

        page_order = [One, Two]
        '''
    )
    first = asyncio.ensure_future(server.submit(1, 1))
    await settle()
    second = asyncio.ensure_future(server.submit(1, 1))
    await settle()
    await server.clock.advance(30)
    assert server.module.ran == ["begun"]
    assert (await server.player())._about["page"] == "lab/One"
    server.gates.open("llm")
    await asyncio.gather(first, second)
    assert server.module.ran == ["begun", "ended", "two"]


# ---------------------------------------------------------------- loading


async def test_evidence_19_nobody_waits_for_a_restart_hook_that_takes_long(serve: Serve) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        def new_session(session):
            after(60, rung, session)

        def rung(session):
            session.rung = True

        async def restart(session):
            session.restarts = session.get("restarts", 0) + 1
            while True:
                await gates.wait("never")

        page_order = [Lab]
        '''
    )
    await server.crash()
    await server.start()
    loading = asyncio.ensure_future(server.gateway.host(server.session))
    await settle()
    assert loading.done()
    assert loading.result().state.session.restarts == 1
    assert loading.result().busy
    await server.clock.advance(61)
    assert loading.result().state.session.rung is True


async def test_a_browser_that_comes_while_its_session_is_put_away_is_not_left_at_the_old_one(serve: Serve) -> None:
    server = await serve(LAB)
    one = server.browser()
    await one.load()
    host = await server.host()
    server.journal.hold()
    player = host.state.player(1)
    host.step(lambda: setattr(player, "n", 1), Awaited(host, Administered("test", "test"), host.activity(player, "t")))
    connecting = asyncio.ensure_future(one.connect())
    await settle()
    leaving = asyncio.ensure_future(server.gateway._put_away(host))
    await settle()
    server.journal.release()
    await leaving
    assert not await connecting
    assert one.byes == ["storage"]
    assert await one.connect()
    assert await one.ask("add") == 1


async def test_a_browser_that_lies_about_its_base_has_nothing_read_from_before_its_stay(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(LAB, players=2)
    other = await server.opened(2)
    for n in range(50):
        await other.ask("add", n)
    await server.submit(1)
    host = await server.restart()
    entered = host.state.player(1)._about["since"]
    assert entered > 50
    read: list[int] = []
    real = host.journal.read

    async def reading(stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> Any:
        read.append(after)
        return await real(stream, after=after, limit=limit, large=large)

    monkeypatch.setattr(host.journal, "read", reading)
    liar = server.browser(1)
    await liar.load()
    liar.base = liar.handled = 0
    assert await liar.connect()
    assert all(after >= entered for after in read)


async def test_a_busy_session_takes_its_snapshots_without_waiting_for_anybody_to_look_around(serve: Serve) -> None:
    server = await serve(LAB, settings=Settings(limits=Limits(calls_per_second=1e9, call_burst=10**9)))
    one = await server.opened()
    host = await server.host()
    host.snapshot_at = 20_000
    host.bytes_since_snapshot = 5_000_000  # all but due
    for n in range(5):
        await one.ask("add", n)
    await settle()
    loaded = await host.journal.load(host.id)
    assert loaded is not None
    assert loaded.snapshot is not None
    assert host.bytes_since_snapshot < 20_000
    assert host.snapshot_at >= 5_000_000, "and the next one is waited for"
