"""Pages in other languages on the real server: right-to-left, accessible, from joining to the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.examples.stage import PHONE, Server, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NEXT = "#grimoire-button-next"
BOX = "selector => document.querySelector(selector).getBoundingClientRect().toJSON()"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(Path(__file__).parent / "languages", tmp_path / "database.sqlite3", 0)
    yield started
    log = started.stop()
    assert "ERROR" not in log, log


async def joined(server: Server, visit: Visit, code: str) -> Page:
    page = await visit(f"{server.join}?lang={code}")
    await page.get_by_role("button", name="Join", exact=True).click()
    await page.wait_for_selector(NEXT)
    return page


async def direction(page: Page) -> tuple[str | None, str | None, str]:
    computed = await page.evaluate("getComputedStyle(document.querySelector('h1')).direction")
    return await page.get_attribute("html", "lang"), await page.get_attribute("html", "dir"), computed


async def test_an_arabic_page_is_written_from_the_right(server: Server, visit: Visit, axe_source: str) -> None:
    page = await joined(server, visit, "ar")
    assert await direction(page) == ("ar", "rtl", "rtl")
    assert await page.title() == "طاب يومكم"
    await expect(page.locator("h1")).to_have_text("طاب يومكم")
    await expect(page.locator("#points")).to_have_text("لديكم 3 نقاط.")
    await expect(page.locator(NEXT)).to_have_text("التالي")
    assert "انقطع الاتصال" in await page.evaluate("grimoire.early.texts.lost")
    await page.click("#script")
    await expect(page.locator("#script")).to_have_text("مرحبًا Ann")

    main, next_button = await page.evaluate(BOX, "main"), await page.evaluate(BOX, NEXT)
    start_of_text = await page.evaluate(
        "(() => { const range = document.createRange(); range.selectNodeContents(document.querySelector('h1'));"
        "return range.getBoundingClientRect().right })()"
    )
    assert abs(start_of_text - main["right"]) < 2, "the heading starts at the right"
    assert next_button["left"] - main["left"] < main["right"] - next_button["right"], "Next is where reading ends"
    signs = await page.evaluate(
        """(() => { const text = document.querySelector('#number').firstChild, at = text.data.indexOf('\\u2212');
        const box = from => { const range = document.createRange(); range.setStart(text, from);
          range.setEnd(text, from + 1); return range.getBoundingClientRect().left };
        return [box(at), box(at + 1), box(text.data.length - 1)] })()"""
    )
    assert signs == sorted(signs), "a number is read from the left, its minus first"
    await looks_right(page, axe_source)
    await page.set_viewport_size(PHONE)
    await looks_right(page, axe_source)

    await page.click(NEXT)
    await expect(page.locator("h1")).to_have_text("طاب يومكم")  # what Python has said
    await page.click(NEXT)
    await expect(page.locator("h1")).to_have_text("شكرًا لكم")
    assert await direction(page) == ("ar", "rtl", "rtl")
    await looks_right(page, axe_source)


async def test_notices_of_the_client_are_in_the_same_language(server: Server, visit: Visit, axe_source: str) -> None:
    page = await joined(server, visit, "ar")
    server.kill()
    # Longer than five seconds where the page had not heard from the server yet.
    await expect(page.get_by_role("status")).to_contain_text("انقطع الاتصال", timeout=20_000)
    await looks_right(page, axe_source)
    server.restart()


@pytest.mark.parametrize(("code", "text"), [("de", "Weiter"), ("ja", "次へ"), ("zh", "下一步"), ("pt-BR", "Avançar")])
async def test_other_languages_are_written_from_the_left(server: Server, visit: Visit, code: str, text: str) -> None:
    page = await joined(server, visit, code)
    assert await direction(page) == (code, "ltr", "ltr")
    await expect(page.locator(NEXT)).to_have_text(text)


async def test_nonsense_in_the_address_is_english(server: Server, visit: Visit) -> None:
    page = await joined(server, visit, "<script>")
    assert await direction(page) == ("en", "ltr", "ltr")
    await expect(page.locator(NEXT)).to_have_text("Next")
    assert await page.locator("#points").text_content() == "You have 3 points."


async def test_a_link_that_leads_nowhere_speaks_as_the_browser_does(
    server: Server, visit: Visit, axe_source: str
) -> None:
    page = await visit(f"{server.url}p/nothing/", locale="ar-EG")
    await expect(page.locator("h1")).to_have_text("لا يوجد شيء هنا")
    assert (await direction(page))[1:] == ("rtl", "rtl")
    await looks_right(page, axe_source)
