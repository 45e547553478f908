"""What makes a page usable by everybody, as checks in Chromium: axe, zoom, keyboard, reduced motion.

`look_for_problems(page, axe)` gives them as texts; knows no page and owns no fixtures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page, ViewportSize

from tests.examples.stage import DESKTOP, PHONE

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]  # all that differs in the dark
ZOOMED = ViewportSize(width=640, height=450)  # what 200 % leaves of a desktop's window
NARROW = ViewportSize(width=320, height=568)  # 400 %, as WCAG 1.4.10 asks for
_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")
_KEYS = {
    "a": ["Enter"],
    "button": ["Enter", "Space"],
    "checkbox": ["Space"],
    "radio": ["ArrowDown"],
    "range": ["ArrowRight"],
    "select-one": ["ArrowDown"],
}


async def look_for_problems(page: Page, axe: str) -> list[str]:
    """All of them, and where. Last comes the keyboard: it changes what is filled in."""
    await page.evaluate(_SCRIPT)
    problems = [*await _axe(page, axe), *await _zoom(page)]
    problems += [f"reduced motion: {one}" for one in await page.evaluate("everybody.moving()")]
    return problems + [f"keyboard: {one}" for one in await _keyboard(page)]


async def _lost(page: Page, where: str) -> list[str]:
    return [f"{where}: {one}" for one in await page.evaluate("everybody.lost()")]


async def _axe(page: Page, axe: str) -> list[str]:
    problems: list[str] = []
    await page.evaluate(axe)
    for viewport in (DESKTOP, PHONE):
        await page.set_viewport_size(viewport)
        problems += await _lost(page, f"{viewport['width']} px")
        for rules, dark in ((TAGS, False), (COLOURS, True)):
            await page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
            found = await page.evaluate("rules => axe.run({ runOnly: rules, resultTypes: ['violations'] })", rules)
            assert found["passes"], "axe has found nothing to look at"
            where = f"{viewport['width']} px, {'dark' if dark else 'light'}"
            problems += [
                f"{where}: {one['id']} ({one['help']}): {node['html'][:200]}"
                for one in found["violations"]
                for node in one["nodes"]
            ]
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return problems


async def _zoom(page: Page) -> list[str]:
    problems: list[str] = []
    for viewport in (ZOOMED, NARROW):
        await page.set_viewport_size(viewport)
        problems += await _lost(page, f"{viewport['width']} px")
    await page.evaluate("document.documentElement.style.fontSize = '200%'")  # as in a browser's settings
    for viewport in (DESKTOP, PHONE):
        await page.set_viewport_size(viewport)
        problems += await _lost(page, f"{viewport['width']} px, text at 200 %")
    await page.evaluate("document.documentElement.style.fontSize = ''")
    await page.set_viewport_size(DESKTOP)
    return problems


async def _keyboard(page: Page) -> list[str]:
    """Tab through the page once, from the top: everything is reached, seen, and works."""
    problems: list[str] = []
    count = await page.evaluate("everybody.begin()")
    reached: list[int] = []
    for _ in range(4 * count + 4):  # a date has several parts, a frame has a document
        await page.keyboard.press("Tab")
        focused = await page.evaluate("everybody.focused()")
        if focused is None or focused["place"] in reached[:-1]:
            break  # around
        if reached and focused["place"] == reached[-1]:
            continue
        reached.append(focused["place"])
        if focused["place"] < 0:
            problems.append(f"not expected: {focused['name']}")
        if focused["problem"]:
            problems.append(f"{focused['problem']}: {focused['name']}")
        problems += await _press(page, focused)
    for place in sorted(set(range(count)) - set(reached)):
        problems.append("not reached: " + await page.evaluate("place => everybody.outer(place)", place))
    return problems


async def _press(page: Page, focused: dict[str, Any]) -> list[str]:
    """The keys that work such a control."""
    problems = []
    for key in _KEYS.get(focused["kind"] or "a", []):
        before = await page.evaluate("everybody.state()")
        await page.keyboard.press(key)
        if await page.evaluate("everybody.state()") == before:
            problems.append(f"{key} does nothing: {focused['name']}")
    return problems
