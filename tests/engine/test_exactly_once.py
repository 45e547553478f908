"""A call is executed once, in order, and always answered: whatever is lost, repeated, reloaded, refused or cut off."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest

from promptgrimoire.authoring.messages import move_to_page
from promptgrimoire.commands import Administered
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.realtime.protocol import Call
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import Server, code_of, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def add(page, player, by: int = 1):
        player.session.count += by
        ran.append(by)
        return player.session.count

    @live
    async def slow(page, player, name: str = "slow"):
        player.session.count += 1
        ran.append(name)
        await gates.wait(name)
        player.session.count += 10
        return name

    @live
    async def three_steps(page, player):
        player.steps = 0
        await gates.wait("1")
        player.steps = 1
        await gates.wait("2")
        player.steps = 2
        await gates.wait("3")
        player.steps = 3
        return "done"

    @live
    async def only_waits(page, player):
        ran.append("only_waits")
        await gates.wait("only")
        return "waited"

    @live
    async def refused_at_its_first_wait(page, player):
        ran.append("tried")
        mine = [1]
        player.mine = mine
        grow(mine)
        try:
            await gates.wait("never")
        except Exception:
            del mine
        player.session.count += 1
        await gates.wait("second")
        return "went on"

    @live
    def look(page, player):
        ran.append("look")
        return player.session.count

    @live
    def fail(page, player):
        ran.append("fail")
        raise ValueError("on purpose")

    @live(rate=2)
    def seldom(page, player):
        return "seldom"

    @live(deadline=10)
    async def late(page, player):
        player.busy = True
        try:
            await gates.wait("late")
        finally:
            player.busy = False

class Two(Page):
    """# Two"""

    @live
    def add(page, player, by: int = 1):
        player.session.wrong_page = True

def grow(items):
    items.append(2)

def new_session(session):
    session.count = 0

page_order = [Lab, Two]
'''


async def count(server: Server) -> Any:
    return (await server.host()).state.session.count


# ---------------------------------------------------------------- repeats


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
async def test_evidence_12_calls_that_arrive_in_any_order_and_twice_run_once_and_in_order(
    serve: Serve, order: tuple[int, ...]
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    talk = one.talk
    assert talk is not None
    one.sink.open = False  # type: ignore[union-attr]  # what the server sends is lost
    for n in (*order, *order):
        talk.call(Call(n, "add", raw(n)))
    ghost = one.ghost()
    for n in (1, 2, 3):
        one.invoke("add", n)
    await one.connect()
    ghost()
    await settle()
    assert server.module.ran == [1, 2, 3]
    assert one.settled == {1: 1, 2: 3, 3: 6}
    assert one.answers == [1, 2, 3]


def raw(*arguments: object) -> Any:
    return msgspec.Raw(json.dumps(arguments).encode())


async def test_evidence_12_a_call_handed_to_a_dying_socket_settles(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    ghost = one.ghost()
    n = one.invoke("add", 5)
    await one.connect()
    ghost()
    await settle()
    assert one.settled == {n: 5}
    assert await count(server) == 5


async def test_a_repeat_joins_the_call_that_runs(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("slow")
    await settle()
    one.lose()
    await one.connect()
    one.resend()
    await settle()
    assert one.settled == {}
    server.gates.open("slow")
    await settle()
    assert one.settled == {n: "slow"}
    assert server.module.ran == ["slow"]
    assert await count(server) == 11


async def test_a_gap_is_refused_and_closed_by_the_missing_call(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    talk = one.talk
    assert talk is not None
    talk.call(Call(3, "add", raw(3)))
    await settle()
    assert code_of(one.messages[-1]) == "gap"
    assert server.module.ran == []


async def test_calls_that_the_browser_gave_up_leave_no_gap(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose()
    for n in (1, 2, 3, 4, 5):
        one.invoke("add", n)
    for n in (2, 4):
        del one.pending[n]  # timed out in the browser
    await one.connect()
    await settle()
    assert server.module.ran == [1, 3, 5]
    assert one.settled == {1: 1, 3: 4, 5: 9}
    assert await one.ask("add", 6) == 15


async def test_the_outcome_of_every_kind_of_call_is_given_again(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    one.sink.open = False  # type: ignore[union-attr]
    calls: list[tuple[str, list[Any]]] = [("add", [1]), ("look", []), ("fail", []), ("add", ["x"]), ("nothing", [])]
    for method, arguments in calls:
        n = one.next
        one.next += 1
        one.pending[n] = (method, arguments)
        assert one.talk is not None
        one.talk.call(Call(n, method, raw(*arguments)))
    await settle()
    await (await server.host()).durable()
    assert server.module.ran == [1, "look", "fail"]
    await server.restart()
    await one.connect()
    await settle()
    codes = {n: code_of(outcome) or outcome for n, outcome in one.settled.items()}
    assert codes == {1: 1, 2: 1, 3: "error", 4: "arguments", 5: "unknown"}
    assert server.module.ran == [1, "look", "fail"]


async def test_settled_calls_are_forgotten(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    for _ in range(5):
        await one.ask("add")
    (table,) = (await server.host()).deliveries.of(1).tables.values()
    assert list(table.outcomes) == [5]


# ---------------------------------------------------------------- reloads


async def test_a_reloaded_document_joins_its_predecessors_running_call(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("slow")
    await settle()
    two = await one.reload()
    await settle()
    server.gates.open("slow")
    await settle()
    assert two.adopted_settled == {(one.document, n): "slow"}
    assert server.module.ran == ["slow"]
    assert await count(server) == 11


async def test_a_reloaded_document_gets_what_its_predecessor_did_not_and_mixes_it_with_nothing(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.sink.open = False  # type: ignore[union-attr]  # answers are lost
    assert one.talk is not None
    one.pending[1] = ("add", [100])
    one.tab.calls[one.document] = (one.stay, one.pending)
    one.talk.call(Call(1, "add", raw(100)))
    await settle()

    two = server.browser(1, one.tab)
    one.lose()
    await two.load()
    await two.connect(resend=False)
    two.invoke("slow")  # its own first call waits while the other's outcome comes
    two._post(1, "add", [100], 0, one.document)  # sent again before the welcome's answer was seen
    await settle()
    assert two.adopted_settled == {(one.document, 1): 100}
    assert two.settled == {}
    server.gates.open("slow")
    await settle()
    assert two.settled == {1: "slow"}
    assert server.module.ran == [100, "slow"]


async def test_a_reloaded_document_makes_the_calls_that_never_arrived(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.ghost()
    one.invoke("add", 1)
    one.invoke("add", 2)
    two = server.browser(1, one.tab)
    await two.load()
    await two.connect()
    two.invoke("add", 3)
    await settle()
    assert server.module.ran == [1, 2, 3]
    assert two.adopted_settled == {(one.document, 1): 1, (one.document, 2): 3}
    assert two.settled == {1: 6}


async def test_an_adopted_call_is_interrupted_and_recorded_like_any_other(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.ghost()
    one.invoke("slow")
    two = await server.opened(1, one.tab)
    await settle()
    assert server.module.ran == ["slow"]
    await server.restart()
    await two.connect()
    await settle()
    assert code_of(two.adopted_settled[one.document, 1]) == "interrupted"
    assert server.module.ran == ["slow"]


async def test_evidence_13_a_call_from_a_page_that_is_over_is_refused(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.submit()
    assert one.reloads == 1
    assert code_of(await one.ask("add")) == "stale"
    assert not hasattr((await server.host()).state.session, "wrong_page")
    assert await count(server) == 0


async def test_evidence_13_a_call_that_waited_while_its_page_ended_is_refused(serve: Serve) -> None:
    server = await serve(LAB, settings=Settings())
    one = await server.opened()
    one.invoke("slow")
    n = one.invoke("add", 7)
    await settle()
    host = await server.host()
    await move(server, 1)
    server.gates.open("slow")
    await settle()
    assert code_of(one.settled[n]) == "stale"
    assert not hasattr(host.state.session, "wrong_page")


async def move(server: Server, position: int, player: int = 1) -> None:
    host = await server.host()
    who = host.state.player(player)

    def moving() -> None:
        move_to_page(who, position)

    host.step(moving, Awaited(host, Administered("test", "move"), host.activity(who, "test")))
    await settle()


async def test_evidence_13_a_call_adopted_from_an_earlier_page_is_refused(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("look")
    one.ghost()
    one.invoke("add", 1)
    await server.submit()
    two = server.browser(1, one.tab)
    await two.load()
    one.tab.calls[one.document] = (two.stay, one.pending)  # a browser that does not look at the stay
    await two.connect()
    await settle()
    assert code_of(two.adopted_settled[one.document, 2]) == "stale"
    assert not hasattr((await server.host()).state.session, "wrong_page")


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_call_cut_off_at_any_suspension_is_interrupted_and_not_run_again(serve: Serve, steps: int) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("three_steps")
    await settle()
    for step in range(steps):
        server.gates.open(str(step + 1))
        await settle()
    await server.restart()
    server.gates.shut("1")
    await one.connect()
    await settle()
    assert code_of(one.settled[n]) == "interrupted"
    assert (await server.player()).steps == steps
    assert server.gates.waiting == []
    assert await one.ask("look") == 0


async def test_a_call_that_wrote_nothing_before_it_was_cut_off_is_interrupted(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("only_waits")
    await settle()
    await server.restart()
    await server.restart()  # the answer is the same, however often
    await one.connect()
    await settle()
    assert code_of(one.settled[n]) == "interrupted"
    assert server.module.ran == ["only_waits"]


async def test_a_call_whose_first_suspension_was_refused_is_not_run_again_after_a_crash(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("refused_at_its_first_wait")
    await settle()
    assert server.gates.waiting == ["second"]
    assert await count(server) == 1
    await server.restart()
    await one.connect()
    await settle()
    assert server.module.ran == ["tried"]
    assert code_of(one.settled[n]) == "interrupted"
    assert await count(server) == 1


async def test_a_call_that_had_ended_unheard_is_answered_from_the_journal(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    one.sink.open = False  # type: ignore[union-attr]
    one.pending[1] = ("add", [5])
    assert one.talk is not None
    one.talk.call(Call(1, "add", raw(5)))
    await settle()
    await (await server.host()).durable()
    one.next = 2
    await server.restart()
    await one.connect()
    await settle()
    assert one.settled == {1: 5}
    assert server.module.ran == [5]


@pytest.mark.parametrize("snapshots", ["none", "before", "after", "both"])
async def test_a_snapshot_forgets_no_call(serve: Serve, snapshots: str) -> None:
    server = await serve(LAB)
    one = await server.opened()
    taker = server.gateway._snapshots[server.session]
    await one.ask("add", 1)
    if snapshots in ("before", "both"):
        await taker.take()
    one.sink.open = False  # type: ignore[union-attr]
    assert one.talk is not None
    one.pending[2] = ("add", [10])
    one.talk.call(Call(2, "add", raw(10), 1))
    one.pending[3] = ("slow", [])
    one.talk.call(Call(3, "slow", raw(), 1))
    one.next = 4
    await settle()
    if snapshots in ("after", "both"):
        await taker.take()
    await server.restart()
    await one.connect()
    await settle()
    assert server.module.ran == [1, 10, "slow"]
    assert one.settled[2] == 11
    assert code_of(one.settled[3]) == "interrupted"


async def test_a_call_held_up_by_the_disk_and_lost_with_it_runs_again(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    server.journal.hold()
    one.invoke("add", 5)
    refused = one.invoke("add", "x")
    await settle()
    assert one.settled == {}
    await server.restart()
    assert await count(server) == 0
    await one.connect()
    await settle()
    assert one.settled[1] == 5
    assert code_of(one.settled[refused]) == "arguments"
    assert await count(server) == 5


# ---------------------------------------------------------------- limits


def limited(**limits: Any) -> Settings:
    return Settings(limits=Limits(**limits))


async def test_a_call_refused_for_its_rate_counts_as_settled(serve: Serve) -> None:
    server = await serve(LAB, settings=limited(call_burst=3, calls_per_second=1.0))
    one = await server.opened()
    for _ in range(5):
        one.invoke("add")
    await settle()
    assert [code_of(one.settled[n]) or one.settled[n] for n in (1, 2, 3, 4, 5)] == [1, 2, 3, "rate", "rate"]
    await server.clock.advance(1)
    assert await one.ask("add") == 4
    assert code_of(await one.ask("add")) == "rate"
    await server.clock.advance(1)
    await server.restart()
    await one.connect()
    assert await one.ask("add") == 5


async def test_a_refusal_for_the_rate_that_was_lost_is_given_again(serve: Serve) -> None:
    server = await serve(LAB, settings=limited(call_burst=1, calls_per_second=0.001))
    one = await server.opened()
    await one.ask("add")
    one.sink.open = False  # type: ignore[union-attr]
    one.pending[2] = ("add", [1])
    one.next = 3
    assert one.talk is not None
    one.talk.call(Call(2, "add", raw(1), 1))
    await settle()
    one.lose()
    await one.connect()
    await settle()
    assert code_of(one.settled[2]) == "rate"
    assert await count(server) == 1


async def test_resends_are_exempt_from_the_rate(serve: Serve) -> None:
    server = await serve(LAB, settings=limited(call_burst=2, calls_per_second=0.001))
    one = await server.opened()
    n = one.invoke("slow")
    await settle()
    for _ in range(10):
        one.resend()
    server.gates.open("slow")
    await settle()
    assert one.settled == {n: "slow"}
    assert await one.ask("add") == 12


async def test_a_methods_own_rate(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    outcomes = [await one.ask("seldom") for _ in range(4)]
    assert [code_of(outcome) or outcome for outcome in outcomes] == ["seldom", "seldom", "rate", "rate"]
    assert await one.ask("add") == 1
    await server.clock.advance(1)
    assert await one.ask("seldom") == "seldom"


async def test_a_call_that_the_journal_does_not_take_is_answered_and_not_carried_out(serve: Serve) -> None:
    server = await serve(LAB, journal=MemoryJournal(max_rows=8))
    one = await server.opened()
    server.journal.hold()
    for _ in range(12):
        one.invoke("add")
    server.journal.release()
    await settle()
    done = [n for n, outcome in one.settled.items() if not code_of(outcome)]
    busy = [n for n, outcome in one.settled.items() if code_of(outcome) == "busy"]
    assert sorted(done + busy) == list(range(1, 13))
    assert busy
    assert await count(server) == len(done)
    assert await one.ask("add") == len(done) + 1


async def test_a_method_that_takes_too_long_is_ended_and_cleans_up(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("late")
    await server.clock.advance(9)
    assert one.settled == {}
    assert (await server.player()).busy is True
    await server.clock.advance(1.5)
    assert code_of(one.settled[n]) == "deadline"
    assert (await server.player()).busy is False
    assert await one.ask("add") == 1


async def test_many_documents_of_one_player_forget_no_call_of_one_that_lives(serve: Serve) -> None:
    server = await serve(LAB)
    old = await server.opened()
    await old.ask("add", 1)
    for _ in range(70):
        other = await server.opened()
        other.lose()
    old.sink.open = False  # type: ignore[union-attr]
    assert old.talk is not None
    old.pending[2] = ("add", [10])
    old.next = 3
    old.talk.call(Call(2, "add", raw(10), 1))
    await settle()
    await server.gateway._snapshots[server.session].take()
    await server.restart()
    await old.connect()
    await settle()
    assert server.module.ran == [1, 10]
    assert old.settled[2] == 11


@pytest.mark.parametrize("production", [False, True])
async def test_arguments_that_do_not_fit_are_in_the_log_in_development(
    serve: Serve, caplog: pytest.LogCaptureFixture, production: bool
) -> None:
    caplog.set_level("INFO")
    server = await serve(LAB, settings=Settings(production=production))
    one = await server.opened()
    assert code_of(await one.ask("add", "many")) == "arguments"
    said = [record.getMessage() for record in caplog.records if record.name == "promptgrimoire.calls"]
    if production:
        assert said == []
    else:
        (line,) = said
        assert line.startswith("""lab/Lab.add was called with '["many"]': """)
        assert "by" in line
