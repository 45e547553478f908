"""Stranger matching, played: three rounds, three partners, and one round that is paid."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant, crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def play(one: Participant, stags: tuple[bool, bool, bool]) -> list[int]:
    """The rounds from the rules on; gives the points of each."""
    await one.submit()
    points = []
    for number, stag in enumerate(stags, 1):
        await one.reaches(f"Round {number} of 3")
        await one.submit(stag="The stag" if stag else "A hare")
        while not one.page.heading.endswith(f"points in round {number}"):
            await one.moved()
        points.append(int(one.page.heading.split()[0]))
        await one.submit()
    return points


async def test_over_the_protocol(serve: Serve) -> None:
    """One hunts stags among three who hunt hares in one round each: whoever meets everybody meets each of them once."""
    server = serve("stranger_matching")
    stag, hare = (True, True, True), (False, False, False)
    async with crowd(4, server.join) as people:
        points = await asyncio.gather(*map(play, people, (stag, stag, hare, hare)))
        for one, earned in zip(people, points, strict=True):
            paid = int(one.page.text.partition("Round ")[2][0])
            assert one.page.heading == f"You earn {earned[paid - 1]} points"
    assert sorted(points[0]) == sorted(points[1]) == [0, 0, 10], "each has met the other one once, and both others"
    assert points[2] == points[3] == [6, 6, 6]


async def test_in_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("stranger_matching", players=4)
    pages = [await visit(link) for link in server.players]
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Round 1 of 3")
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_label("The stag").check()
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_have_text("10 points in round 1")
    await looks_right(pages[0], axe)
