"""One player's calls and submissions run in their order; nobody else waits for them."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.engine.conftest import Serve
from tests.engine.stage import code_of, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    async def slow(page, player, name: str):
        ran.append(name + " begins")
        await gates.wait(name)
        ran.append(name + " ends")
        return name

    @live
    def quick(page, player, name: str):
        ran.append(name)
        return name

    @live(concurrent=True)
    async def beside(page, player, name: str):
        ran.append(name + " begins")
        await gates.wait(name)
        ran.append(name + " ends")

    @live
    async def stubborn(page, player):
        player.value = player.get("value", 0)
        await asyncio.sleep(0)
        now = player.value
        await asyncio.sleep(0)
        player.value = now + 1

    @live
    async def together(page, player):
        async def half(name):
            await gates.wait(name)
            player.session.halves.append(name)
            return name
        async with asyncio.timeout(100):
            return await asyncio.gather(half("left"), half("right"))

    def after_once(page, player):
        ran.append("submitted")

class Two(Page):
    """# Two"""

def new_session(session):
    session.halves = []

page_order = [Lab, Two]
'''


async def test_evidence_14_calls_of_one_player_keep_their_order_across_awaits(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.invoke("slow", "first")
    one.invoke("quick", "second")
    one.invoke("slow", "third")
    one.invoke("quick", "fourth")
    await settle()
    server.gates.open("third")
    await settle()
    assert server.module.ran == ["first begins"]
    server.gates.open("first")
    await settle()
    assert server.module.ran == ["first begins", "first ends", "second", "third begins", "third ends", "fourth"]
    assert one.answers == [1, 2, 3, 4]


async def test_evidence_14_two_tabs_of_one_player_share_their_order(serve: Serve) -> None:
    server = await serve(LAB)
    one, two = await server.opened(), await server.opened()
    one.invoke("slow", "first")
    two.invoke("quick", "second")
    await settle()
    assert server.module.ran == ["first begins"]
    server.gates.open("first")
    await settle()
    assert server.module.ran[-1] == "second"


async def test_evidence_19_nobody_waits_for_anothers_slow_call(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    one.invoke("slow", "slow")
    assert await two.ask("quick", "quick") == "quick"
    assert server.module.ran == ["slow begins", "quick"]
    await server.submit(2)
    assert (await server.player(2))._about["page"] == "lab/Two"


async def test_a_concurrent_method_waits_for_nothing_and_nothing_for_it(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.invoke("slow", "slow")
    one.invoke("beside", "a")
    one.invoke("beside", "b")
    await settle()
    assert server.module.ran == ["slow begins", "a begins", "b begins"]
    server.gates.open("b")
    await settle()
    assert one.answers == [3]
    server.gates.open("slow")
    await settle()
    assert await one.ask("quick", "quick") == "quick"
    assert one.answers == [3, 1, 4]


async def test_evidence_4_read_await_write_of_one_player_loses_nothing(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    for _ in range(10):
        one.invoke("stubborn")
    await settle(200)
    assert (await server.player()).value == 10


async def test_evidence_15_a_disconnect_cancels_no_running_call(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("slow", "slow")
    await settle()
    one.lose()
    await server.clock.advance(20)
    server.gates.open("slow")
    await settle()
    assert server.module.ran == ["slow begins", "slow ends"]
    await one.connect()
    assert one.settled == {n: "slow"}


async def test_timeouts_and_tasks_of_author_code_write_in_segments(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("together")
    await settle()
    server.gates.open("right")
    await settle()
    assert list((await server.host()).state.session.halves) == ["right"]
    server.gates.open("left")
    await settle()
    assert one.settled[n] == ["left", "right"]
    assert list((await server.restart()).state.session.halves) == ["right", "left"]


# ---------------------------------------------------------------- submissions


async def test_evidence_20_a_submission_waits_for_the_calls_before_it(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    slow = one.invoke("slow", "slow")
    last = one.invoke("quick", "last")
    submitting = asyncio.ensure_future(server.submit())
    await settle()
    assert "submitted" not in server.module.ran
    server.gates.open("slow")
    await submitting
    assert server.module.ran == ["slow begins", "slow ends", "last", "submitted"]
    assert (one.settled[slow], one.settled[last]) == ("slow", "last")
    assert one.reloads == 1


async def test_evidence_20_calls_that_never_arrived_come_with_the_submission(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("quick", "0")
    ghost = one.ghost()
    for n in range(1, 4):
        one.invoke("quick", str(n))
    calls = [{"n": n, "method": method, "args": arguments} for n, (method, arguments) in one.pending.items()]
    carried = json.dumps([{"document": one.document, "calls": calls}])
    stay = one.stay
    await server.submit(1, stay, {"_calls": [carried]})
    await server.submit(1, stay, {"_calls": [carried]})
    ghost()
    assert server.module.ran == ["0", "1", "2", "3", "submitted"]
    assert (await server.player())._about["page"] == "lab/Two"
    assert "_calls" not in await submitted_values(await server.host())


async def submitted_values(host: object) -> str:
    rows = await host.journal.read(host.id)  # type: ignore[attr-defined]
    return b"".join(row.values for row in rows if b"submitted" in row.text).decode()


@pytest.mark.parametrize("text", ["", "null", "[", '[{"document": 1}]', '[{"document":"x","calls":[{"n":-1}]}]'])
async def test_a_submission_with_unreadable_calls_is_a_submission_all_the_same(serve: Serve, text: str) -> None:
    server = await serve(LAB)
    await server.opened()
    await server.submit(1, None, {"_calls": [text]})
    assert (await server.player())._about["page"] == "lab/Two"


async def test_after_ten_seconds_a_submission_goes_ahead_without_the_calls(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("slow", "slow")
    submitting = asyncio.ensure_future(server.submit())
    await server.clock.advance(9.5)
    assert not submitting.done()
    await server.clock.advance(1)
    await submitting
    assert (await server.player())._about["page"] == "lab/Two"
    server.gates.open("slow")
    await settle()
    assert one.settled == {n: "slow"}
    two = await server.opened()
    assert code_of(await two.ask("quick", "x")) == "unknown"


async def test_a_submission_whose_request_is_gone_blocks_nobody(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.invoke("slow", "slow")
    submitting = asyncio.ensure_future(server.submit())
    await settle()
    submitting.cancel()
    await settle()
    server.gates.open("slow")
    await settle()
    assert await one.ask("quick", "after") == "after"


async def test_more_calls_than_may_wait_are_refused(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    host = await server.host()
    host.limits = type(host.limits)(waiting_calls=2, call_burst=1000)
    host.calls._lanes.clear()
    one.invoke("slow", "slow")
    numbers = [one.invoke("quick", str(n)) for n in range(4)]
    await settle()
    assert [code_of(one.settled.get(n)) for n in numbers] == ["", "", "busy", "busy"]
    server.gates.open("slow")
    await settle()
    assert server.module.ran[2:] == ["0", "1"]
    assert await one.ask("quick", "later") == "later"
