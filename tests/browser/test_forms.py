"""Forms in Chromium on the real server: by keyboard, on a phone, in the dark; errors, sliders, matrices, files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, Request, expect

from tests.browser.conftest import Visit
from tests.examples.stage import PHONE, Server, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NEXT = "#grimoire-button-next"
FORM = "document.getElementById('grimoire-form')"
BOX = "selector => document.querySelector(selector).getBoundingClientRect().toJSON()"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(Path(__file__).parent / "forms", tmp_path / "database.sqlite3", 1)
    yield started
    log = started.stop()
    assert "ERROR" not in log, log


async def is_at(page: Page, heading: str) -> None:
    await expect(page.locator("h1")).to_have_text(heading)


def pdf(content: bytes) -> FilePayload:
    return FilePayload(name="cv.pdf", mimeType="application/pdf", buffer=content)


async def next_without_the_browsers_checks(page: Page) -> None:
    """As a browser posts that checks nothing."""
    await page.evaluate(f"{FORM}.noValidate = true")
    await page.click(NEXT)


async def fill_person(page: Page) -> None:
    for name, text in {
        "age": "22",
        "email": "ann@example.org",
        "warmth": "20.5",
        "major": "Physics",
        "story": "<b>Rain</b>",
        "born": "2004-02-29",
    }.items():
        await page.fill(f"#{name}", text)
    await page.select_option("#country", "de")
    for box in ("team-1", "leader-1", "topics-0", "topics-2", "consent"):
        await page.check(f"#{box}")


async def fill_scales(page: Page) -> None:
    for box in ("happy-10", "agree-0", "quiet-0", "trusting-4", "trains-2", "boats-3"):
        await page.check(f"#{box}")


async def test_every_field_is_accessible_answered_and_stored(server: Server, visit: Visit, axe_source: str) -> None:
    page = await visit(server.players[0])
    await is_at(page, "Person")
    await looks_right(page, axe_source)
    await fill_person(page)
    await page.click(NEXT)
    await is_at(page, "Scales")
    await looks_right(page, axe_source)
    await fill_scales(page)
    await page.focus("#risk")
    await page.keyboard.press("ArrowRight")
    await page.focus("#price")
    await page.keyboard.press("End")
    await expect(page.locator("#field-risk output")).to_have_text("6")
    await expect(page.locator("#field-price output")).to_have_text("20")
    await page.click(NEXT)
    await is_at(page, "A quiz")
    await looks_right(page, axe_source)
    await page.check("#sum-1")
    await page.fill("#plain", "as it is")
    await page.check("#plain_radio-0")
    await page.set_input_files("#cv", files=pdf(b"%PDF" * 10))
    await page.click(NEXT)
    await is_at(page, "Done")
    stored = json.loads(await page.inner_text("#stored"))
    assert {name: stored[name] for name in ("age", "born", "amount", "warmth", "story", "iban")} == {
        "age": "22",
        "born": "datetime.date(2004, 2, 29)",
        "amount": "Decimal('1.50')",
        "warmth": "20.5",
        "story": "'<b>Rain</b>'",
        "iban": "None",
    }
    assert {name: stored[name] for name in ("country", "team", "leader", "topics", "consent")} == {
        "country": "'de'",
        "team": "'Blue'",
        "leader": "False",
        "topics": "['Law', 'Music']",
        "consent": "True",
    }
    assert {name: stored[name] for name in ("risk", "price", "share", "happy", "agree", "quiet", "boats")} == {
        "risk": "Decimal('6')",
        "price": "Decimal('20')",
        "share": "0.5",
        "happy": "10",
        "agree": "-2",
        "quiet": "1",
        "boats": "1",
    }
    assert stored["sum"] == "4"
    assert stored["cv"].startswith("Upload(filename='cv.pdf', size=40, content_type='application/pdf', digest='")


async def test_errors_stand_beside_the_fields_and_what_was_filled_in_is_kept(
    server: Server, visit: Visit, axe_source: str
) -> None:
    page = await visit(server.players[0])
    await page.fill("#age", "12")
    await page.fill("#email", "ann")
    await page.fill("#story", "A long\nstory")
    await page.check("#topics-1")
    await page.check("#team-2")
    await next_without_the_browsers_checks(page)
    summary = page.get_by_role("alert")
    await expect(summary).to_contain_text("Please check your answers.")
    await expect(summary).to_be_focused()
    await expect(page.locator("#age-error")).to_have_text("Please enter a number from 18 to 99.")
    assert await page.get_attribute("#age", "aria-describedby") == "age-error"
    assert await page.get_attribute("#email", "aria-describedby") == "email-description email-error"
    assert await page.get_attribute("#age", "aria-invalid") == "true"
    assert await page.get_attribute("#field-leader", "aria-describedby") == "leader-error"
    assert await page.get_attribute("#topics-1", "aria-invalid") is None
    assert await page.input_value("#age") == "12"
    assert await page.input_value("#email") == "ann"
    assert await page.input_value("#story") == "A long\nstory"
    assert await page.is_checked("#topics-1")
    assert await page.is_checked("#team-2")
    await looks_right(page, axe_source)

    await summary.get_by_role("link", name="How old are you?").click()
    await expect(page.locator("#age")).to_be_focused()
    await fill_person(page)
    await page.uncheck("#topics-0")
    await page.click(NEXT)
    await is_at(page, "Scales")


async def test_the_keyboard_alone_is_enough(server: Server, visit: Visit) -> None:
    page = await visit(server.players[0])
    await page.focus("#age")
    for keys in ("22", "ann@example.org", None, "20.5", "Physics", "A day"):
        if keys is not None:
            await page.keyboard.type(keys)
        await page.keyboard.press("Tab")
        while await page.evaluate("document.activeElement.id") == "born":
            await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "country"
    await page.keyboard.type("Germ")
    for press in ("Tab", "Space", "Tab", "Space", "Tab", "Space", "Tab", "Tab", "Tab", "Tab", "Space", "Tab", "Enter"):
        await page.keyboard.press(press)
    await is_at(page, "Scales")


async def test_evidence_44_an_untouched_slider_posts_nothing_and_is_asked_for(server: Server, visit: Visit) -> None:
    page = await visit(server.players[0])
    await fill_person(page)
    await page.click(NEXT)
    await is_at(page, "Scales")
    posted: list[str] = []

    def listen(request: Request) -> None:
        if request.method == "POST":
            posted.append(request.post_data or "")

    page.on("request", listen)
    await expect(page.locator("#field-price output")).to_have_text("–")  # noqa: RUF001
    assert await page.get_attribute("#price", "aria-valuetext") == "No answer yet"
    await fill_scales(page)
    await page.click(NEXT)
    await expect(page.locator("#price-error")).to_have_text("Please answer this question.")
    assert "price" not in posted[0]
    assert "risk=5" in posted[0]  # it has a thumb, which says so
    assert "_touched=happy%2Cagree%2Cquiet%2Ctrusting%2Ctrains%2Cboats" in posted[0]

    await page.focus("#price")  # where the thumb will be is right already
    await page.keyboard.press("Enter")
    await expect(page.locator("#field-price output")).to_have_text("10")
    assert await page.get_attribute("#price", "aria-valuetext") is None
    await page.click(NEXT)
    await is_at(page, "A quiz")
    assert "price=10" in posted[1]
    touched = posted[1].partition("_touched=")[2].partition("&")[0].split("%2C")
    assert {"happy", "boats", "price"} <= set(touched)  # also what was touched before the first submission


async def test_a_matrix_rearranges_itself_on_a_phone(server: Server, visit: Visit) -> None:
    page = await visit(server.players[0])
    await fill_person(page)
    await page.click(NEXT)
    await is_at(page, "Scales")

    async def below(first: str, second: str) -> bool:
        above, under = await page.evaluate(BOX, first), await page.evaluate(BOX, second)
        return bool(above["bottom"] <= under["top"])

    assert not await below("#quiet-label", "#quiet-0")  # question and points side by side
    columns = [(await page.evaluate(BOX, box))["left"] for box in ("#quiet-2", "#trusting-2")]
    assert abs(columns[0] - columns[1]) < 1
    assert not await below("#trains-0", "#trains-4")
    await page.set_viewport_size(PHONE)
    assert await below("#quiet-label", "#quiet-0")
    assert not await below("#quiet-0", "#quiet-4")  # a matrix keeps its scale
    assert await below("#trains-0", "#trains-4")  # a grid stands upright
    assert await below("#agree-0", "#agree-4")
    assert not await below("#happy-0", "#happy-10")
    for label in ("happy-0", "quiet-0", "agree-0"):  # large enough for a finger
        box = await page.locator(f"label:has(#{label})").bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 24


async def test_forms_are_read_from_the_right_in_arabic(server: Server, visit: Visit, axe_source: str) -> None:
    page = await visit(f"{server.join}?lang=ar")
    await page.locator("form button").first.click()
    await is_at(page, "Person")
    await next_without_the_browsers_checks(page)
    await expect(page.get_by_role("alert")).to_be_focused()
    assert "Please" not in await page.inner_text("main")
    await looks_right(page, axe_source)
    label, box = await page.evaluate(BOX, "label[for=consent]"), await page.evaluate(BOX, "#consent")
    assert box["left"] > label["right"] - 1  # the box comes first, from the right
    await fill_person(page)
    await page.click(NEXT)
    await is_at(page, "Scales")
    await looks_right(page, axe_source)
    assert (await page.evaluate(BOX, "#happy-0"))["left"] > (await page.evaluate(BOX, "#happy-10"))["left"]
    ends = [await page.evaluate(BOX, f"#field-happy .grimoire-end-{end}") for end in ("min", "max")]
    assert ends[0]["left"] > ends[1]["right"]
    await page.focus("#risk")
    await page.keyboard.press("Home")
    output, slider = await page.evaluate(BOX, "#field-risk output"), await page.evaluate(BOX, "#risk")
    assert abs((output["left"] + output["right"]) / 2 - slider["right"]) < 12  # over the thumb, which is at the right


async def reach_the_quiz(page: Page) -> None:
    await fill_person(page)
    await page.click(NEXT)
    await is_at(page, "Scales")
    await fill_scales(page)
    await page.locator("#price").click()
    await page.click(NEXT)
    await is_at(page, "A quiz")


async def test_a_file_that_is_too_large_never_leaves_the_browser(server: Server, visit: Visit) -> None:
    page = await visit(server.players[0])
    await reach_the_quiz(page)
    await page.check("#sum-0")
    await page.fill("#plain", "x")
    await page.check("#plain_radio-1")
    await page.set_input_files("#cv", files=pdf(b"x" * 100_001))
    message = "document.getElementById('cv').validationMessage"
    assert await page.evaluate(message) == "This file is too large. It may have at most 100 kB."
    await next_without_the_browsers_checks(page)  # the server says the same
    await expect(page.locator("#cv-error")).to_have_text("This file is too large. It may have at most 100 kB.")
    await expect(page.locator("#sum-error, #field-sum .invalid-feedback")).to_have_text("Count with your fingers.")
    await page.set_input_files("#cv", files=pdf(b"x"))
    assert await page.evaluate(message) == ""


async def test_a_file_is_chosen_once_whatever_else_is_wrong(server: Server, visit: Visit, axe_source: str) -> None:
    page = await visit(server.players[0])
    await reach_the_quiz(page)
    await page.check("#sum-0")  # wrong
    await page.fill("#plain", "x")
    await page.check("#plain_radio-1")
    await page.set_input_files("#cv", files=pdf(b"%PDF" * 10))
    for load in (page.click(NEXT), page.reload()):
        await load
        await expect(page.locator("#cv-sent")).to_have_text("Already sent: cv.pdf. You need not choose it again.")
    await looks_right(page, axe_source)
    await expect(page.locator("#cv")).to_have_accessible_description(re.compile("Already sent: cv.pdf"))
    await page.check("#sum-1")
    await page.fill("#plain", "x")
    await page.check("#plain_radio-1")
    await page.click(NEXT)  # with the browser's own checks
    await is_at(page, "Done")
    stored = json.loads(await page.inner_text("#stored"))
    assert stored["cv"].startswith("Upload(filename='cv.pdf', size=40, ")
