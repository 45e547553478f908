"""The public goods game, played: who understands goes on, groups of three, and the project's share for everybody."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("public_goods")
    async with crowd(6, server.join) as people:
        first = people[0]
        await first.submit(understood="Everybody has 60 points")
        assert "They become 90" in first.page.errors["understood"]
        for one in people:
            await one.submit(understood=30)
        await asyncio.gather(*(one.reaches("Your contribution") for one in people))
        for wrong in (-1, 21, "half"):
            await first.submit(contribution=wrong)
            assert list(first.page.errors) == ["contribution"]
        for one, contribution in zip(people[:3], (0, 7, 20), strict=True):
            await one.submit(contribution=contribution)
        await asyncio.gather(*(one.submit(contribution=20) for one in people[3:]))
        # 27 * 1.5 / 3 = 13.5 for each of the first three, 30 for each of the others.
        for one, points in zip(people, ("33.5", "26.5", "13.5", "30.0", "30.0", "30.0"), strict=True):
            await one.reaches(f"You have {points} points")
        assert "The project held 27" in first.page.text
        assert "You 0 33.5 2 7 26.5 3 20 13.5" in first.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("public_goods", players=3)
    pages = [await visit(link) for link in server.players]
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_label("Everybody has 30 points").check()
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your contribution")
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_label("How many points").fill("10")
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_have_text("You have 25.0 points")
    await looks_right(pages[0], axe)
