"""Next and other buttons, Enter, the keyboard, and what a participant sees when something fails; on the real server."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Serve, Visit
from tests.examples.stage import PHONE, comes_true, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NEXT = "#grimoire-button-next"
ON_TOP = """(({ x, y, width, height }) => document.elementFromPoint(x + width / 2, y + height / 2)?.id)(
  document.getElementById("grimoire-button-next").getBoundingClientRect())"""


async def is_at(page: Page, heading: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)


async def stays(page: Page, milliseconds: int = 400) -> None:
    """Nothing is posted, for as long as a posted form takes to show."""
    await page.wait_for_timeout(milliseconds)
    await is_at(page, "Start")
    assert await page.get_attribute(NEXT, "aria-busy") is None


async def without_modules(page: Page, link: str) -> None:
    """As long as the client's modules are on their way."""

    async def refuse(route: Route) -> None:
        await route.abort()

    await page.route("**/static/*/grimoire/*.js", refuse)
    await page.goto(link)


# ------------------------------------------------------------------ buttons and Enter


async def test_a_button_without_a_type_calls_and_does_not_submit(serve: Serve, visit: Visit) -> None:
    page = await visit(serve().players[0])
    await page.click("#plain")
    await comes_true(page, "done.length === 1")
    await page.focus("#plain")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Space")
    await comes_true(page, "done.length === 3")
    await page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button id=late>Late')")
    await page.click("#late")
    await stays(page)
    assert await page.evaluate("done") == ["pressed"] * 3


async def test_enter_presses_nobodys_button(serve: Serve, visit: Visit) -> None:
    page = await visit(serve().players[0])
    await page.fill("#field", "typed")
    await page.press("#field", "Enter")
    await stays(page)
    assert await page.evaluate("done") == []
    await page.fill("#chat", "said")
    await page.press("#chat", "Enter")
    await comes_true(page, "done.includes('said')")
    await stays(page)
    assert await page.input_value("#field") == "typed"


async def test_nothing_submits_by_accident_before_the_modules_are_there(serve: Serve, visit: Visit) -> None:
    link = serve().players[0]
    page = await visit("about:blank")
    await without_modules(page, link)
    await page.click("#plain")
    await page.press("#field", "Enter")
    await stays(page)
    assert await page.evaluate("grimoire.early.queue.length") == 1, "the call waits for the modules"
    await page.click(NEXT)
    await is_at(page, "Second page")


async def test_an_explicit_submit_button_submits(serve: Serve, visit: Visit) -> None:
    page = await visit(serve().players[0])
    await page.click("#own")
    await is_at(page, "Second page")


async def test_next_belongs_to_the_form_wherever_it_stands(serve: Serve, visit: Visit) -> None:
    """A form inside the form ends the outer one, by HTML's rules: Next would be dead."""
    page = await visit("about:blank")

    async def nest(route: Route) -> None:
        answer = await route.fetch()
        body = (await answer.text()).replace("</main>", "<form><input id=inner></form></main>")
        await route.fulfill(response=answer, body=body)

    link = serve().players[0]
    await page.route(re.compile(re.escape(link) + "$"), nest, times=1)
    await page.goto(link)
    assert await page.locator("#inner").count() == 1
    await page.click(NEXT)
    await is_at(page, "Second page")


# ------------------------------------------------------------------ Next


async def test_evidence_24_a_double_click_on_next_leaves_once(serve: Serve, visit: Visit) -> None:
    page = await visit(serve().players[0])
    await page.dblclick(NEXT)
    await is_at(page, "Second page")
    await expect(page.get_by_text("Left once: 1.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Left once: 1.")).to_be_visible()


async def test_evidence_20_next_right_after_a_call_loses_none(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    page = await visit(server.players[0])
    await page.evaluate("for (let n = 0; n < 20; n += 1) call('add', `${n}`)")
    await page.evaluate("call('add_slowly', 'slow'); grimoire.submit()")
    await is_at(page, "Second page")
    other = await visit(server.players[1])
    assert await other.evaluate("grimoire.vars.done") == [*map(str, range(20)), "slow"]


async def test_a_page_without_javascript_goes_on(serve: Serve, visit: Visit) -> None:
    server = serve(players=2)
    page = await visit(server.players[0], java_script_enabled=False)
    await page.click(NEXT)
    await is_at(page, "Second page")
    fields = {"_stay": "1", "_submission": ""}
    async with httpx.AsyncClient(follow_redirects=True) as person:
        assert "<noscript>" in (await person.get(server.players[1])).text
        assert "Second page" in (await person.post(server.players[1], data=fields)).text


async def test_the_whole_way_by_keyboard(serve: Serve, visit: Visit) -> None:
    page = await visit(serve(players=0).join)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await is_at(page, "Start")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    for name in ("Add", "My own way on"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name=name)).to_be_focused()
    for label in ("What to add", "Chat"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_label(label)).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(NEXT)).to_be_focused()
    await page.keyboard.press("Space")
    await is_at(page, "Second page")
    await page.focus(NEXT)
    await page.keyboard.press("Enter")
    await is_at(page, "Thank you")


# ------------------------------------------------------------------ what is said when something fails


async def test_evidence_29_and_42_an_unhandled_error_is_shown_with_its_reference(serve: Serve, visit: Visit) -> None:
    page = await visit(serve().players[0])
    for method in ("refuse", "fail"):
        await page.evaluate(f"void grimoire.invoke('{method}').catch(error => {{ window.e = error }})")
        await comes_true(page, "window.e !== undefined")
        assert await page.locator(".grimoire-notice").count() == 0, "whoever handles it decides what is shown"
        await page.evaluate("delete window.e")
    status = page.get_by_role("status")
    await page.evaluate(
        "addEventListener('unhandledrejection', event => { window.id = event.reason.id; event.preventDefault() })"
    )
    await page.evaluate("void grimoire.invoke('refuse')")
    await expect(status).to_contain_text("The market is closed")
    await page.evaluate("void grimoire.invoke('give', 'x' + 99, '')")
    await expect(status).to_contain_text("Please check your answers.")
    await page.evaluate("void grimoire.invoke('fail')")
    await expect(status).to_contain_text("This is not your fault.")
    reference = await page.evaluate("id")
    assert reference
    await expect(status).to_contain_text(reference)
    await status.get_by_role("button", name="Close").click()
    await expect(page.locator(".grimoire-notice")).to_have_count(0)


async def test_evidence_29_a_page_whose_hook_fails_is_held_until_it_works(
    serve: Serve, visit: Visit, axe_source: str
) -> None:
    server = serve(players=2)
    ann, bo = [await visit(link) for link in server.players]
    await bo.evaluate("call('break_next', true)")
    await comes_true(bo, "log.length === 1")
    await ann.click(NEXT)
    await is_at(ann, "Something went wrong")
    await looks_right(ann, axe_source)
    await ann.get_by_role("button", name="Try again").click()
    await is_at(ann, "Something went wrong")
    await bo.evaluate("call('break_next', false)")
    await comes_true(bo, "log.length === 2")
    await ann.get_by_role("button", name="Try again").click()
    await is_at(ann, "Second page")
    await ann.click(NEXT)
    await is_at(ann, "Thank you")
    await looks_right(ann, axe_source)


async def test_the_client_is_told_what_it_has_to_know(serve: Serve, visit: Visit) -> None:
    page = await visit(serve().players[0])
    config = await page.evaluate("grimoire.early.page")
    assert (config["limit"], config["timeout"]) == (64_000, 300)
    assert await page.evaluate("grimoire.invoke('add', 'x'.repeat(70000)).catch(error => error.code)") == "large"
    read = set()
    for name in ("main", "submit", "notice", "client", "early"):
        address = await page.evaluate(f"new URL('{name}.js', document.querySelector('script[src]').src).href")
        source = await (await page.request.get(address)).text()
        read |= set(re.findall(r"texts\.(\w+)", source)) | set(re.findall(r'warn\("(\w+)"\)', source))
    assert read >= {"lost", "back", "failed", "error", "here", "again", "close"}
    assert set(config["texts"]) == read | {"takeover", "refused", "gone", "version"}


async def test_join_page_and_notices_can_be_used_by_everybody(serve: Serve, visit: Visit, axe_source: str) -> None:
    server = serve(players=1)
    await looks_right(await visit(server.join), axe_source)
    page = await visit(server.players[0])
    await looks_right(page, axe_source)
    server.kill()
    await expect(page.get_by_role("status")).to_contain_text("The connection is interrupted.")
    await looks_right(page, axe_source)
    await page.click(NEXT)
    await expect(page.get_by_role("status")).to_contain_text("please press the button again", timeout=20_000)
    await looks_right(page, axe_source)
    await page.set_viewport_size(PHONE)
    await page.evaluate("document.querySelector('main').style.minHeight = '150vh'")
    await page.focus("#chat")
    await page.keyboard.press("Tab")
    await expect(page.locator(NEXT)).to_be_focused()
    await page.mouse.wheel(0, 10_000)
    await comes_true(page, f"{ON_TOP} === 'grimoire-button-next'")
    server.restart()
    await page.click(NEXT)
    await is_at(page, "Second page")
