"""The stylesheet: colours that can be read in light and in dark, and no sideways scrolling on a phone.

Owns nothing of how it looks; style.html shows that.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.client.chromium import FLAGS

ROOT = Path(__file__).parents[2]
CSS = (ROOT / "static/style/grimoire.css").read_text("utf-8")

TEXT = [
    ("text", "page"),
    ("text", "surface"),
    ("text", "raised"),
    ("muted", "page"),
    ("muted", "surface"),
    ("muted", "raised"),
    ("accent", "surface"),
    ("accent", "page"),
    ("accent-strong", "surface"),
    ("on-accent", "accent"),
    ("good", "surface"),
    ("warn", "surface"),
    ("bad", "surface"),
    ("info", "surface"),
    ("on-strong", "neutral"),
    ("on-strong", "good"),
    ("on-strong", "warn"),
    ("on-strong", "bad"),
    ("on-strong", "info"),
    *[("text", f"{tone}-soft") for tone in ("accent", "neutral", "good", "warn", "bad", "info")],
    *[(tone, f"{tone}-soft") for tone in ("accent", "good", "warn", "bad", "info")],
]
CONTROLS = [("control-border", "surface"), ("control-border", "page"), ("accent", "surface")]


def _colours(start: str) -> dict[str, str]:
    block = CSS[CSS.index(start) :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block[: block.index("}")]))


LIGHT = _colours(":root {")
DARK = {**LIGHT, **_colours(':root[data-theme="dark"] {')}


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """As WCAG 2 defines it: 1 to 21."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme: str) -> None:
    colours = LIGHT if scheme == "light" else DARK
    poor = {pair: contrast(*(colours[name] for name in pair)) for pair in TEXT}
    assert {pair: round(ratio, 2) for pair, ratio in poor.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_edges_of_controls_can_be_seen(scheme: str) -> None:
    colours = LIGHT if scheme == "light" else DARK
    ratios = {pair: round(contrast(*(colours[name] for name in pair)), 2) for pair in CONTROLS}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 3} == {}


def test_dark_is_the_same_by_preference_and_by_choice() -> None:
    assert _colours(':root:not([data-theme="light"]) {') == _colours(':root[data-theme="dark"] {')


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 1280])
async def test_nothing_scrolls_sideways(chromium: str, width: int) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            page = await browser.new_page(viewport={"width": width, "height": 800})
            await page.goto((ROOT / "tests/client/style.html").as_uri())
            assert await page.evaluate("document.documentElement.scrollWidth") == width
        finally:
            await browser.close()
