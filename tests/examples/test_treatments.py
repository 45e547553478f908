"""Treatments, played by many: balanced as promised, and everybody meets what was drawn for them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant, crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def play(ann: Participant, gender: str) -> tuple[str, int, str]:
    """The study from its first page to its last; gives frame, anchor, and the good that came first."""
    await ann.submit(gender=gender)
    frame = "gain" if "200 people are saved" in ann.page.text else "loss"
    await ann.load()
    assert ("200 people are saved" in ann.page.text) == (frame == "gain"), "a reload draws nothing"
    await ann.submit(programme="A")
    first = ann.page.heading
    anchor = 5 if "asks $5 for" in ann.page.text else 50
    for _ in range(2):
        good = "mug" if "mug" in ann.page.heading else "chocolate"
        assert f"asks ${anchor} for" in ann.page.text
        await ann.submit(**{f"{good}_above_anchor": "No", f"{good}_value": "3.5"})
    assert ann.page.heading == "What this was about"
    assert f"Prices of ${anchor} " in ann.page.text
    assert ("You have read what they would save" in ann.page.text) == (frame == "gain")
    return frame, anchor, first


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("treatments")
    genders = ["Female", "Female", "Male"] * 8
    async with crowd(len(genders), server.join) as people:
        played = await asyncio.gather(*map(play, people, genders))
    assert Counter(frame for frame, _, _ in played) == {"gain": 12, "loss": 12}
    assert Counter(zip(genders, (anchor for _, anchor, _ in played), strict=True)) == {
        ("Female", 5): 8,
        ("Female", 50): 8,
        ("Male", 5): 4,
        ("Male", 50): 4,
    }
    assert len({first for _, _, first in played}) == 2, "orders differ (by chance not once in eight million runs)"


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("treatments", players=1).players[0])
    await page.get_by_label("Another").check()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("A", exact=True).check()
    await looks_right(page, axe)
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("radio", name="No").check()
    await page.get_by_label("What is the most").fill("3.50")
    await looks_right(page, axe)
    first = await page.get_by_role("heading", level=1).inner_text()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).not_to_have_text(first)
    await page.get_by_role("radio", name="Yes").check()
    await page.get_by_label("What is the most").fill("5")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("What this was about")
    await looks_right(page, axe)
