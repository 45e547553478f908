"""Calls and events between a participant's browser and the real server: each once, through every kind of loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Serve, Visit
from tests.examples.stage import comes_true

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

LOST = "The connection is interrupted."


async def add(page: Page, what: str) -> None:
    """Call, and do not wait for the answer."""
    await page.evaluate("what => call('add', what)", what)


async def done(page: Page, *what: str) -> None:
    """Exactly this has been done, as far as the page knows; it may take a moment to know."""
    await comes_true(page, f"done.length >= {len(what)}")
    assert await page.evaluate("done") == list(what)


@asynccontextmanager
async def offline(page: Page) -> AsyncIterator[None]:
    """The tab has no network."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    conditions: dict[str, Any] = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await session.send("Network.emulateNetworkConditions", {"offline": True, **conditions})
    yield
    await session.send("Network.emulateNetworkConditions", {"offline": False, **conditions})
    await session.detach()


async def test_two_browsers_hear_of_everything_in_one_order(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    ann, bo = [await visit(link) for link in server.players]
    for number in range(5):
        await add(ann, f"a{number}")
        await add(bo, f"b{number}")
    await comes_true(ann, "done.length >= 10")
    await comes_true(bo, "done.length >= 10")
    order = await ann.evaluate("done")
    assert sorted(order) == [f"{who}{number}" for who in "ab" for number in range(5)]
    assert await bo.evaluate("done") == order
    await ann.reload()
    await done(ann, *order)


async def test_evidence_50_what_is_called_without_a_network_runs_once_after_it(serve: Serve, visit: Visit) -> None:
    """Also what others did meanwhile arrives, once."""
    server = serve(players=2)
    ann, bo = [await visit(link) for link in server.players]
    await add(ann, "before")
    await done(bo, "before")
    async with offline(bo):
        await add(bo, "away 1")
        await add(bo, "away 2")
        await add(ann, "meanwhile")
        await expect(bo.get_by_role("status")).to_contain_text(LOST, timeout=20_000)
    await expect(bo.get_by_role("status")).to_contain_text("The connection is back.", timeout=20_000)
    await done(bo, "before", "meanwhile", "away 1", "away 2")
    await done(ann, "before", "meanwhile", "away 1", "away 2")
    await expect(bo.get_by_text("The connection is back.")).to_have_count(0)


async def test_evidence_1_and_12_kill_9_and_a_restart_lose_and_double_nothing(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    ann, bo = [await visit(link) for link in server.players]
    await add(ann, "before")
    await done(bo, "before")
    await ann.evaluate("call('add_slowly', 'slow')")
    await asyncio.sleep(0.3)  # it is running now, and nothing of it is written yet
    server.kill()
    await add(ann, "away")
    await expect(ann.get_by_role("status")).to_contain_text(LOST)
    server.restart()
    for page in (ann, bo):
        await page.evaluate("dispatchEvent(new Event('online'))")
        await comes_true(page, "done.includes('away')")
    await comes_true(ann, "log.filter(([what]) => what === 'reply').length >= 2")
    assert (await ann.evaluate("done")).count("away") == 1
    assert await ann.evaluate("done") == await bo.evaluate("done")
    # The method had not suspended after writing anything, so it runs again or says so; it is never both.
    outcomes = await ann.evaluate("log")
    slow = (await ann.evaluate("done")).count("slow")
    assert slow == outcomes.count(["reply", "add_slowly"])
    assert slow + outcomes.count(["interrupted"]) == 1
    await ann.reload()
    await comes_true(ann, "grimoire.vars.done.includes('away')")
    assert await ann.evaluate("done") == await bo.evaluate("done")


async def test_evidence_11_a_reload_in_the_middle_of_a_call(serve: Serve, visit: Visit) -> None:
    """The call is adopted: it runs once, and the next document forgets it when it has ended."""
    server = serve(players=2)
    ann, bo = [await visit(link) for link in server.players]
    await ann.evaluate("call('add_slowly', 'slow')")
    await add(ann, "behind")
    await comes_true(ann, "Object.keys(sessionStorage).some(key => key.includes('/calls/'))")
    await ann.reload()
    await done(ann, "slow", "behind")
    await comes_true(ann, "!Object.keys(sessionStorage).some(key => key.includes('/calls/'))")
    await done(bo, "slow", "behind")


async def test_evidence_11_what_was_kept_arrives_after_a_reload_and_once(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    ann = await visit(server.players[0])
    await ann.evaluate("call('give', 2, 'offer')")
    await comes_true(ann, "log.some(([what]) => what === 'reply')")
    bo = await visit(server.players[1])
    await comes_true(bo, "log.some(([, what]) => what === 'offer')")
    await bo.reload()
    await add(bo, "after")
    await done(bo, "after")
    assert ["given", "offer"] not in await bo.evaluate("log")


async def test_evidence_22_two_tabs_both_hear_and_closing_one_leaves_the_other(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    ann = await visit(server.players[0])
    other = await visit(server.players[0], context=ann.context)
    bo = await visit(server.players[1])
    await add(bo, "to both")
    await done(ann, "to both")
    await done(other, "to both")
    await ann.close(run_before_unload=True)
    await add(bo, "to one")
    await done(other, "to both", "to one")
    await add(other, "from one")
    await done(bo, "to both", "to one", "from one")


async def test_going_back_shows_the_page_as_it_is_now(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    ann, bo = [await visit(link) for link in server.players]
    await add(ann, "before")
    await done(ann, "before")
    await ann.goto(server.url)
    await add(bo, "meanwhile")
    await done(bo, "before", "meanwhile")
    await ann.go_back()
    await done(ann, "before", "meanwhile")
    await add(ann, "after")
    await done(ann, "before", "meanwhile", "after")


async def test_a_page_from_the_back_forward_cache_goes_on(serve: Serve, visit: Visit) -> None:
    """Pages are `no-store`, which most browsers keep out of that cache, but not all: here the header is taken away."""
    server = serve(players=2)
    ann = await visit("about:blank")

    async def allow(route: Route) -> None:
        answer = await route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "cache-control"}
        await route.fulfill(response=answer, headers=headers)

    # A page that the test has answered counts as one of the internet, which may not talk to this machine.
    await ann.context.grant_permissions(["local-network-access"])
    await ann.route(server.players[0], allow)
    await ann.goto(server.players[0])
    bo = await visit(server.players[1])
    await ann.evaluate("addEventListener('pageshow', event => log.push(['persisted', event.persisted]))")
    await add(ann, "before")
    await done(ann, "before")
    await ann.goto(server.url)
    await add(bo, "meanwhile")
    await done(bo, "before", "meanwhile")
    await ann.go_back(wait_until="commit")  # nothing is loaded
    await comes_true(ann, "log.some(([what, from]) => what === 'persisted' && from)")
    await done(ann, "before", "meanwhile")
    await add(ann, "after")
    await done(ann, "before", "meanwhile", "after")


async def test_evidence_13_a_stale_tab_calls_nothing_on_the_next_page(serve: Serve, visit: Visit) -> None:
    """`Second` has a method of the same name. The tab shows where the participant is."""
    server = serve(players=2)
    bo = await visit(server.players[1])
    ann = await visit(server.players[0])
    stale = await visit(server.players[0], context=ann.context)
    async with offline(stale):
        await ann.click("#grimoire-button-next")
        await expect(ann.get_by_role("heading")).to_have_text("Second page")
        await add(stale, "stale")
        await expect(stale.get_by_role("status")).to_contain_text(LOST, timeout=20_000)
    await expect(stale.get_by_role("heading")).to_have_text("Second page", timeout=20_000)
    await add(bo, "end")
    await done(bo, "end")
    assert await stale.evaluate("Object.keys(sessionStorage).some(key => key.includes('/calls/'))") is False
