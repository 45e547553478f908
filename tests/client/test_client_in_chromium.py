"""The client in a real browser: inline scripts, losses, reloads, Next. The server is scripted: see scripted.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from promptgrimoire.realtime.protocol import Handled, Here
from tests.client.chromium import FLAGS
from tests.client.scripted import Scripted, scripted

# One browser for the module: starting it takes longer than most tests.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, server: Scripted) -> AsyncIterator[Page]:
    page = await browser.new_page()
    await page.goto(server.url)
    await server.until(lambda: server.calls)
    await until(page, "log.some(([what]) => what == 'reply')")
    yield page
    # Chromium may never answer that where a navigation is under way; the page goes with the browser then.
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            await page.close()


async def until(page: Page, condition: str) -> None:
    await page.wait_for_function(condition, timeout=10_000)


async def log(page: Page) -> list[Any]:
    entries: list[Any] = await page.evaluate("log")
    return entries


def event(name: str | None, data: Any, **more: Any) -> dict[str, Any]:
    return {"type": "event", "name": name, "data": data, **more}


async def test_inline_scripts_work_before_the_modules_have_loaded(page: Page, server: Scripted) -> None:
    await server.frame(101, event(None, "Hello!"), event("MarketUpdate", [1, 2]), event("Short", 5))
    await until(page, "log.some(([what]) => what == 'Short')")
    assert await log(page) == [
        ["ready", "interactive"],
        ["DOMContentLoaded"],
        ["reply", [3.5, [1, {"a": None}]]],
        ["receive", "Hello!"],
        ["MarketUpdate", [1, 2]],
        ["Short", 5, 101],
    ]
    await server.until(lambda: any(isinstance(said, Handled) and said.seq == 101 for said in server.said))
    assert await page.evaluate("uproot === grimoire && I('uproot-button-next') === I('grimoire-button-next')")
    assert abs(await page.evaluate("grimoire.clock()") - 5000) < 10


async def test_a_handler_that_throws_stops_no_other(page: Page, server: Scripted) -> None:
    await server.frame(101, event("Broken", 1), event("Short", 2))
    await until(page, "log.some(([what]) => what == 'Short')")
    assert (await log(page))[-2:] == [["after the broken one"], ["Short", 2, 101]]


async def test_evidence_50_a_lost_connection_is_said_quietly_and_mended(page: Page, server: Scripted) -> None:
    """What is called meanwhile is sent when the server is back."""
    server.answers["late"] = lambda args: args[0]
    await server.stop()
    await page.evaluate("void grimoire.invoke('late', 'kept').then((value) => log.push(['reply', value]))")
    assert await page.locator(".grimoire-notice").count() == 0  # not at once
    await page.wait_for_selector(".grimoire-notices[role=status] >> text=LOST", timeout=5000)
    await server.start()
    await page.evaluate("dispatchEvent(new Event('online'))")
    await until(page, "log.some(([, value]) => value == 'kept')")
    await page.wait_for_selector("text=LOST", state="detached")
    assert [entry for entry in await log(page) if "connect" in entry[0]] == [["disconnect"], ["reconnect"]]
    assert server.hellos[-1].pending == [2]


async def test_a_short_loss_is_not_mentioned(page: Page, server: Scripted) -> None:
    await page.evaluate(
        "new MutationObserver(() => log.push(['notice'])).observe(document.body, {childList: true, subtree: true})"
    )
    await server.drop()
    await server.until(lambda: len(server.hellos) == 2)
    await asyncio.sleep(2)
    assert ["notice"] not in await log(page)


async def test_a_half_open_connection_is_noticed(page: Page, server: Scripted) -> None:
    server.deaf = True  # the socket stays, nobody answers
    await page.wait_for_selector("text=LOST", timeout=12_000)
    server.deaf = False
    await page.wait_for_selector("text=LOST", state="detached", timeout=15_000)


async def test_evidence_11_and_12_a_reload_adopts_unsettled_calls_and_skips_kept_events(
    page: Page, server: Scripted
) -> None:
    await page.evaluate("void grimoire.invoke('slow', 1)")
    await server.frame(101, event("Short", "offer", keep="101.0"))
    await until(page, "log.some(([what]) => what == 'Short')")
    await server.until(lambda: server.order[-1] == "slow")
    first = server.hellos[0]
    server.base = 101
    await page.reload()
    await server.until(lambda: len(server.hellos) == 2)
    second = server.hellos[1]
    assert second.document != first.document
    assert second.tab == first.tab
    assert [(adopted.document, adopted.pending) for adopted in second.adopts] == [(first.document, [2])]
    assert second.kept == ["101.0"]
    await server.until(lambda: len([call for call in server.calls if call.method == "slow"]) == 2)
    again = next(call for call in reversed(server.calls) if call.method == "slow")
    assert (again.n, again.document) == (2, first.document)
    await server.frame(101, event("Short", "offer", keep="101.0"), event("Short", "end", keep="102.0"))
    await until(page, "log.some(([, data]) => data == 'end')")
    assert ["Short", "offer", 101] not in await log(page)
    await server.answer(again, None)
    await until(page, "!Object.keys(sessionStorage).some((key) => key.includes('calls'))")


async def test_a_page_restored_from_the_cache_resumes(page: Page, server: Scripted) -> None:
    """As for bfcache: the events are fired by hand, since headless Chromium does not promise to use it."""
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    await asyncio.sleep(0.5)
    assert len(server.hellos) == 1
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await server.until(lambda: len(server.hellos) == 2)
    assert server.hellos[0].document == server.hellos[1].document
    await until(page, "log.some(([what]) => what == 'reconnect')")


async def test_evidence_20_next_waits_for_pending_calls(page: Page, server: Scripted) -> None:
    """Calling and pressing Next at once loses nothing."""
    await page.evaluate("void grimoire.invoke('last', 1); grimoire.submit()")
    await server.until(lambda: "last" in server.order)
    await asyncio.sleep(0.3)
    assert server.posts == []
    assert await page.get_attribute("#grimoire-button-next", "aria-busy") == "true"
    await server.answer(server.calls[-1], None)
    await server.until(lambda: server.posts)
    assert server.order[-2:] == ["last", "post"]
    assert {**server.posts[0], "_submission": ""} == {"_stay": "7", "_submission": "", "answer": "42"}
    assert len(server.posts[0]["_submission"]) >= 15


async def test_a_double_click_submits_once(page: Page, server: Scripted) -> None:
    server.post_delay = 0.5
    await page.evaluate("for (const _ of [1, 2, 3]) I('uproot-button-next').click()")
    await server.until(lambda: len(server.hellos) == 2)
    assert len(server.posts) == 1


async def test_an_authors_handler_may_refuse(page: Page, server: Scripted) -> None:
    await page.evaluate(
        "I('grimoire-form').addEventListener('submit', (event) => event.preventDefault(), {once: true})"
    )
    await page.click("#grimoire-button-next")
    await asyncio.sleep(0.3)
    assert server.posts == []
    await page.click("#grimoire-button-next")
    await server.until(lambda: server.posts)


async def test_next_is_never_dead(page: Page, server: Scripted) -> None:
    """The server is away: the participant is told, and the next press sends the same submission."""
    await page.fill("input[name=answer]", "typed")
    await server.stop()
    await page.click("#grimoire-button-next")
    await page.wait_for_selector("text=FAILED", timeout=10_000)
    assert await page.get_attribute("#grimoire-button-next", "aria-busy") is None
    await server.start()
    await page.click("#grimoire-button-next")
    await server.until(lambda: server.posts)
    assert server.posts[0]["answer"] == "typed"


async def test_a_form_that_is_sent_again_is_the_same_submission(page: Page, server: Scripted) -> None:
    """As after a page from the back/forward cache, or half a minute without an answer."""
    await page.evaluate("document.querySelector('[name=_submission]').value = 'first'")
    await page.click("#grimoire-button-next")
    await server.until(lambda: server.posts)
    assert server.posts[0]["_submission"] == "first"


async def test_next_works_where_no_websocket_comes_through(browser: Browser, server: Scripted) -> None:
    page = await browser.new_page()
    await page.add_init_script("WebSocket = class { close() {} }")
    await page.goto(server.url)
    await page.click("#grimoire-button-next")
    await server.until(lambda: server.posts, 15)
    assert '"method":"early"' in server.posts[0]["_calls"]  # what it could not call goes along


async def test_next_works_without_javascript(browser: Browser, server: Scripted) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(server.url)
    await page.click("#grimoire-button-next")
    await server.until(lambda: server.posts)
    assert server.posts == [{"_stay": "7", "_submission": "", "answer": "42"}]


async def test_a_reload_waits_for_the_submission_that_is_under_way(page: Page, server: Scripted) -> None:
    """Whoever is moved is told to reload: that cancelled the answer to the submission that moved them."""
    requests: list[str] = []
    failed: list[str | None] = []
    page.on("request", lambda request: requests.append(request.method) if request.is_navigation_request() else None)
    page.on("requestfailed", lambda request: failed.append(request.failure))
    server.post_delay = 0.5
    await page.evaluate("document.getElementById('grimoire-button-next').click()")
    await server.until(lambda: server.posts)
    await server.frame(101, {"type": "go", "to": "reload"})
    await server.until(lambda: len(server.hellos) == 2)
    await server.until(lambda: len(requests) >= 2)  # the browser's own account comes a moment later
    assert requests == ["POST", "GET"], "the submission, and where its answer led"
    assert failed == []


async def test_a_reload_waits_for_the_calls_of_a_submission_too(page: Page, server: Scripted) -> None:
    await page.evaluate("void grimoire.invoke('last', 1); grimoire.submit()")
    await server.until(lambda: "last" in server.order)
    await server.frame(101, {"type": "go", "to": "reload"})
    await asyncio.sleep(0.3)
    assert len(server.hellos) == 1
    await server.answer(server.calls[-1], None)
    await server.until(lambda: len(server.hellos) == 2)
    assert server.order[1:3] == ["last", "post"]


@pytest.mark.parametrize("resync", [False, True])
async def test_a_reload_happens_when_the_submission_was_stopped(page: Page, server: Scripted, resync: bool) -> None:
    server.post_delay = 3.0
    await page.evaluate("document.getElementById('grimoire-button-next').click(); setTimeout(() => stop(), 1000)")
    await server.until(lambda: server.posts)
    go: dict[str, Any] = {"type": "go", "to": "reload"}
    welcome = {"type": "welcome", "version": 1, "clock": 1.0, "seq": 500, "ping": 20.0, "resync": True}
    await server.frame(0 if resync else 101, welcome if resync else go)
    await asyncio.sleep(0.3)
    assert len(server.hellos) == 1
    await server.until(lambda: len(server.hellos) == 2, 2.5)


async def test_what_was_stopped_can_be_pressed_again(page: Page, server: Scripted) -> None:
    server.post_delay = 5.0
    await page.evaluate("document.getElementById('grimoire-button-next').click(); setTimeout(() => stop(), 500)")
    await server.until(lambda: server.posts)
    server.post_delay = 0
    await page.wait_for_selector("#grimoire-button-next:not([aria-busy])", timeout=3000)
    await page.click("#grimoire-button-next")
    await server.until(lambda: len(server.hellos) == 2)
    assert server.posts[0]["_submission"] == server.posts[1]["_submission"]


@pytest.mark.parametrize("files", [False, True])
async def test_an_upload_may_take_long(browser: Browser, server: Scripted, files: bool) -> None:
    """Next is free again after half a minute, but not while files may be on their way: a press would cancel them."""
    server.post_status = 204
    page = await browser.new_page()
    await page.clock.install()
    await page.goto(server.url)
    await server.until(lambda: server.calls)
    if files:
        await page.evaluate(
            "document.querySelector('main').insertAdjacentHTML('beforeend', '<input type=file name=f>')"
        )
    await page.evaluate("I('grimoire-button-next').click()")
    for _ in range(20):
        await page.clock.run_for(100)
    await server.until(lambda: server.posts)
    await page.clock.run_for(25_000)
    assert await page.get_attribute("#grimoire-button-next", "aria-busy") == "true"
    await page.clock.run_for(10_000)
    assert await page.get_attribute("#grimoire-button-next", "aria-busy") == ("true" if files else None)
    await page.close()


async def test_leaving_does_not_flash_the_notice(page: Page, server: Scripted) -> None:
    server.post_delay = 6.0
    # Not page.click: it would wait for the answer.
    await page.evaluate("document.getElementById('grimoire-button-next').click()")
    await server.until(lambda: server.posts)
    await server.drop()
    server.deaf = True
    await asyncio.sleep(2.2)
    assert await page.locator("text=LOST").count() == 0
    server.deaf = False


async def test_what_the_server_says_beside_events(page: Page, server: Scripted) -> None:
    await server.frame(101, {"type": "message", "text": "Please <b>hurry</b>"})
    await page.wait_for_selector("text=Please <b>hurry</b>")
    await page.click(".grimoire-notice button")
    await page.wait_for_selector(".grimoire-notice", state="detached")
    await server.frame(102, {"type": "go", "to": "url", "url": "javascript:log.push(['evil'])"})
    server.base = 103
    await server.frame(103, {"type": "go", "to": "reload"})
    await server.until(lambda: len(server.hellos) == 2)
    assert server.hellos[1].base == 103
    assert ["evil"] not in await log(page)
    await server.frame(104, {"type": "go", "to": "url", "url": "/other/"})
    await page.wait_for_selector("text=Elsewhere")


async def test_a_page_that_was_taken_over_says_so_and_can_be_taken_back(page: Page, server: Scripted) -> None:
    await server.frame(0, {"type": "bye", "reason": "takeover"})
    await page.wait_for_selector("text=TAKEN")
    await asyncio.sleep(0.5)
    assert len(server.hellos) == 1
    await page.click("text=HERE")
    await server.until(lambda: len(server.hellos) == 2)


async def test_evidence_29_and_42_a_failed_call_that_no_author_handles_is_not_silent(
    page: Page, server: Scripted
) -> None:
    """The participant sees that something failed, and the reference to name."""
    server.answers["fail"] = lambda args: {"type": "error", "code": "error", "message": "internal", "id": "K7QX"}
    await page.evaluate("void grimoire.invoke('fail')")
    await page.wait_for_selector("text=ERROR (K7QX)")
    server.answers["late"] = lambda args: {"type": "error", "code": "reject", "message": "Too late"}
    await page.evaluate("void grimoire.invoke('late')")
    await page.wait_for_selector("text=Too late")
    handled = await page.evaluate("grimoire.invoke('late').catch((error) => [error.code, error.message])")
    assert handled == ["reject", "Too late"]


async def test_resync_reloads_unless_the_author_takes_it(page: Page, server: Scripted) -> None:
    welcome = {"type": "welcome", "version": 1, "clock": 1.0, "seq": 500, "ping": 20.0, "resync": True}
    await page.evaluate("void grimoire.onResync(() => log.push(['resync']))")
    await server.frame(0, welcome)
    await until(page, "log.some(([what]) => what == 'resync')")
    await page.reload()
    await server.until(lambda: len(server.hellos) == 2)
    await server.frame(0, welcome)
    await server.until(lambda: len(server.hellos) == 3)


async def test_idle_and_hidden_are_told(browser: Browser, server: Scripted) -> None:
    page = await browser.new_page()
    await page.clock.install()
    await page.goto(server.url)
    await server.until(lambda: server.hellos)
    await page.clock.run_for(500)
    await page.clock.fast_forward(70_000)
    await server.until(lambda: [said.state for said in server.said if isinstance(said, Here)] == ["idle"])
    await page.mouse.move(5, 5)
    await server.until(lambda: [said.state for said in server.said if isinstance(said, Here)] == ["idle", "active"])
