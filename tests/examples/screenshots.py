"""Makes examples/*/screenshot.png anew: `python -m tests.examples.screenshots [EXAMPLE...]`.

Two participants side by side, as the multi-view shows them, after a few moves, or on two pages of the same study. Never
a test.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from math import cos, pi, sin
from pathlib import Path

from playwright.async_api import FilePayload, Page, async_playwright

from tests.examples.plays import GAMES
from tests.examples.stage import CHROMIUM_FLAGS, ROOT, Server

_WIDTH, _GAP = 640, 16
_WIDE = {"big5": 960}  # where a table needs the room


async def _counter(one: Page, other: Page) -> None:
    await one.get_by_role("button", name="Add 10").click()
    await other.get_by_role("button", name="Add 5").click()
    await one.get_by_role("button", name="Add 1", exact=True).click()


async def _diary(one: Page, other: Page) -> None:
    text = "The bus was late again, so I walked along the river. It was still dark, and for a while"
    await one.get_by_label("What happened today?").fill(text)
    await other.get_by_text("for a while").wait_for()


async def _board(one: Page, other: Page) -> None:
    async def draw(page: Page, color: str, points: list[tuple[float, float]]) -> None:
        await page.get_by_text(color, exact=True).click()
        box = await page.locator("#board").bounding_box()
        assert box
        for index, (x, y) in enumerate(points):
            await page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if not index:
                await page.mouse.down()
        await page.mouse.up()

    def circle(x: float, y: float, radius: float, start: float = 0, end: float = 2) -> list[tuple[float, float]]:
        turns = [start + (end - start) * step / 40 for step in range(41)]
        return [(x + radius * cos(pi * turn), y + 1.6 * radius * sin(pi * turn)) for turn in turns]

    await draw(one, "orange", circle(0.78, 0.25, 0.08))
    await draw(other, "black", [(0.2, 0.85), (0.2, 0.5), (0.35, 0.3), (0.5, 0.5), (0.5, 0.85), (0.2, 0.85)])
    await draw(one, "red", [(0.3, 0.85), (0.3, 0.65), (0.4, 0.65), (0.4, 0.85)])
    await draw(other, "green", circle(0.7, 0.62, 0.07))
    await draw(other, "green", [(0.7, 0.73), (0.7, 0.85)])
    await draw(one, "blue", [(step / 50, 0.9 + 0.02 * sin(step)) for step in range(3, 49)])


async def _market(one: Page, other: Page) -> None:
    async def offer(page: Page, price: int) -> None:
        await page.locator("#price").fill(str(price))
        await page.locator("#price").press("Enter")
        await page.get_by_role("button", name=f"Withdraw your offer of {price}").wait_for()

    await offer(one, 72)
    await other.get_by_role("button", name="Accept 72").click()
    await offer(one, 68)
    await offer(other, 81)
    await one.get_by_role("button", name="Accept 81").click()
    await offer(one, 64)
    await offer(other, 93)


async def _ticker(one: Page, other: Page) -> None:
    await one.wait_for_timeout(45_000)


async def _next(page: Page, heading: str = "") -> None:
    """Press the button that leads on; with a heading, until it is there."""
    await page.locator("#grimoire-button-next").click()
    if heading:
        await page.get_by_role("heading", name=heading).first.wait_for()


async def _survey(one: Page, other: Page) -> None:
    for page in (one, other):
        await page.get_by_label("I am at least").check()
        await _next(page, "About you")
        await page.get_by_label("What shall we call you?").fill("Ann")
        await page.get_by_label("How old").fill("33")
        await page.get_by_label("Female").check()
        await page.get_by_label("Where do you live").select_option("Austria")
    await _next(other, "Your day")
    for hours, value in (("Sleep", "8"), ("Work", "9.5"), ("Everything else", "8")):
        await other.get_by_label(hours).fill(value)
    await other.get_by_label("How happy").fill("7")
    await other.get_by_label("How much of it").fill("0.3")
    await other.get_by_role("radiogroup", name="How busy").get_by_label("5").check()
    for news in ("Radio", "Friends"):
        await other.get_by_label(news).check()
    await _next(other)
    await other.get_by_text("A day has 24 hours").first.wait_for()


async def _big5(one: Page, other: Page) -> None:
    for page, every in ((one, 3), (other, 1)):
        for place, question in enumerate(await page.get_by_role("radiogroup").all()):
            if place % every == 0:
                await question.get_by_role("radio").nth((place * place + 4) % 5).check()
    await _next(other, "Your profile")


async def _treatments(one: Page, other: Page) -> None:
    for page, gender in ((one, "Female"), (other, "Male")):
        await page.get_by_label(gender, exact=True).check()
        await _next(page, "Two programmes")
    await one.get_by_label("A", exact=True).check()
    await other.get_by_label("B", exact=True).check()


async def _quiz(one: Page, other: Page) -> None:
    for page in (one, other):
        await page.get_by_role("button", name="Calculate").click()
        await page.get_by_text("You earn").wait_for()
        await _next(page, "Questions")
    for page, others, keeps in ((one, "4", "Everybody"), (other, "3", "I do")):
        await page.get_by_role("radio", name=others).check()
        await page.get_by_role("radio", name=keeps).check()
        await page.get_by_label("How many do you earn").fill("30")
    await _next(one)
    await one.get_by_text("Tokens that you keep").first.wait_for()
    await _next(other, "All correct")


async def _upload(one: Page, other: Page) -> None:
    # The window: a picture that Chromium draws itself.
    canvas = await other.context.new_page()
    await canvas.set_viewport_size({"width": 560, "height": 300})
    await canvas.set_content(
        "<body style='margin:0;block-size:300px;background:linear-gradient(#8ec5ff 0 45%,#dff1ff 70%,#6aa36f 70%)'>"
        "<div style='position:absolute;inset:40px auto auto 420px;inline-size:60px;block-size:60px;border-radius:50%;"
        "background:#ffd75e'></div><div style='position:absolute;inset:130px auto auto 90px;inline-size:120px;"
        "block-size:100px;background:#b5533c'></div><div style='position:absolute;inset:80px auto auto 75px;"
        "border:75px solid transparent;border-block-start:0;border-block-end:50px solid #7a3325'></div>"
    )
    picture = await canvas.screenshot()
    await canvas.close()
    for page in (one, other):
        file = FilePayload(name="window.png", mimeType="image/png", buffer=picture)
        await page.get_by_label("A photo of what you see").set_input_files(file)
    await _next(other, "Your photo")
    await other.get_by_label("What do we see").fill("The house across the street, which used to be a school.")


async def _multilanguage(one: Page, other: Page) -> None:
    for page, own, heading in ((one, "Deutsch", "Ihre Entscheidung"), (other, "العربية", "قرارك")):
        await page.get_by_label(own).check()
        await _next(page, heading)
        await page.get_by_role("spinbutton").fill("5")


async def _stroop(one: Page, other: Page) -> None:
    for page in (one, other):
        await _next(page)
        await page.locator("#word:not(:empty)").wait_for()
    while await other.locator("#word").count():
        if ink := await other.evaluate("shown === null ? '' : trials[trial].ink"):
            await other.wait_for_timeout(350 if await other.evaluate("trials[trial].word") == ink else 430)
            await other.keyboard.press(ink)
        await other.wait_for_timeout(20)
    while await one.evaluate("shown === null || trials[trial].word === trials[trial].ink"):
        await one.keyboard.press(await one.evaluate("trials[trial].ink"))
        await one.wait_for_timeout(50)


async def _real_effort(one: Page, other: Page) -> None:
    for page, answers in ((other, 9), (one, 4)):
        await _next(page)
        for count in range(answers):
            total = sum(map(int, (await page.locator("#task").inner_text()).split(" + ")))
            await page.get_by_label("The sum").fill(str(total - (count == 2)))
            await page.get_by_label("The sum").press("Enter")
            await page.get_by_text(f"Correct so far: {count + 1 - (count >= 2)}").wait_for()
            await page.wait_for_timeout(100)
    await other.get_by_text("Time is up").wait_for(timeout=90_000)
    await one.reload()


async def _timeouts(one: Page, other: Page) -> None:
    for page in (one, other):
        await _next(page, "Your decision")
    if await one.get_by_text("0:1").count() or await one.get_by_text("0:0").count():
        one, other = other, one
    await other.get_by_label("What went through").wait_for(timeout=90_000)
    await _next(other, "Thank you")
    await one.get_by_label("How much").fill("4")
    await one.get_by_role("radio", name="Yes").check()


PLAYS: dict[str, Callable[[Page, Page], Awaitable[None]]] = {
    "counter": _counter,
    "observed_diary": _diary,
    "drawing_board": _board,
    "market": _market,
    "ticker": _ticker,
    "survey": _survey,
    "big5": _big5,
    "treatments": _treatments,
    "quiz": _quiz,
    "upload": _upload,
    "multilanguage": _multilanguage,
    "stroop": _stroop,
    "real_effort": _real_effort,
    "timeouts": _timeouts,
}


async def take(names: list[str]) -> None:
    """Play each example with two participants, and photograph both."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM_FLAGS))
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                game = GAMES.get(name)
                count = 2 if game is None else game.players
                server = Server(ROOT / "examples" / name, Path(folder) / "database.sqlite3", players=count)
                width = _WIDE.get(name, _WIDTH)
                context = await browser.new_context(viewport={"width": width, "height": 560}, reduced_motion="reduce")
                pages = [await context.new_page() for _ in server.players]
                for page, link in zip(pages, server.players, strict=True):
                    await page.goto(link)
                await (PLAYS[name](*pages) if game is None else game.moves(pages))
                await pages[0].wait_for_timeout(500)
                await _side_by_side(pages[:2], ROOT / "examples" / name / "screenshot.png", width)
                await context.close()
                server.stop()
        await browser.close()


async def _side_by_side(pages: list[Page], path: Path, width: int) -> None:
    """One picture of several pages, each in a frame of its own."""
    shots = [Path(f"{path.with_suffix('')}.{index}.png") for index in range(len(pages))]
    for page, shot in zip(pages, shots, strict=True):
        await page.mouse.move(0, 0)
        await page.screenshot(path=shot, full_page=True)
    frame = await pages[0].context.browser.new_page(  # type: ignore[union-attr]
        viewport={"width": len(pages) * (width + _GAP) + _GAP, "height": 200}
    )
    await frame.goto(path.parent.as_uri())
    images = "".join(f'<img src="{shot.as_uri()}">' for shot in shots)
    await frame.set_content(
        f"<style>body {{ display: flex; gap: {_GAP}px; margin: {_GAP}px; align-items: start; background: #cfd6e0 }}"
        f"img {{ width: {width}px; border-radius: 8px }}</style>{images}"
    )
    await frame.wait_for_load_state("networkidle")
    await frame.screenshot(path=path, full_page=True)
    await frame.close()
    for shot in shots:
        shot.unlink()


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1:] or [*PLAYS, *GAMES]))
