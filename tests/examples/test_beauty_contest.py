"""The beauty contest, played by a whole session: each round is for everybody, and the closest share the prize."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant, crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def outcome(one: Participant) -> str:
    while not one.page.heading.startswith("You have"):
        await one.moved()
    return one.page.heading


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("beauty_contest")
    async with crowd(5, server.join) as people:
        for one in people:
            await one.submit()
        # Targets: 33⅓, 20 and 0; in the second round two are equally close.
        rounds = [((10, 30, 50, 60, 100), [1]), ((0, 15, 25, 30, 80), [1, 2]), ((0, 0, 0, 0, 0), range(5))]
        for number, (guesses, winners) in enumerate(rounds, 1):
            for one, guess in zip(people, guesses, strict=True):
                assert one.page.heading == f"Round {number} of 3"
                assert one.page.fields["guess"].value == [""], "the last round's guess is gone"
                await one.submit(guess=guess)
            said = await asyncio.gather(*map(outcome, people))
            assert said == ["You have won" if place in winners else "You have not won" for place in range(5)]
            for one in people:
                await one.submit()
        earned = [one.page.heading for one in people]
        assert earned == [f"You have won ${dollars}.00" for dollars in (6, 51, 21, 6, 6)]


async def test_in_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("beauty_contest", players=3)
    pages = [await visit(link) for link in server.players]
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_role("button", name="Next").click()
    for page, guess in zip(pages, ("20", "40", "90"), strict=True):
        await page.get_by_label("Your guess").fill(guess)
        await looks_right(page, axe)
        await page.get_by_role("button", name="Next").click()
    await expect(pages[1].get_by_role("heading", level=1)).to_have_text("You have won")
    await expect(pages[1].get_by_role("img")).to_have_attribute("aria-label", "Guesses: 20, 40, 90")
    await looks_right(pages[1], axe)
