"""The prisoner's dilemma, played: pairs in the order of arrival, and payoffs as the table says."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize(
    ("one", "other", "points"),
    [(True, True, (5, 5)), (True, False, (0, 8)), (False, True, (8, 0)), (False, False, (2, 2))],
)
async def test_over_the_protocol(serve: Serve, one: bool, other: bool, points: tuple[int, int]) -> None:
    server = serve("prisoners_dilemma")
    words = {True: "I cooperate", False: "I defect"}
    async with Participant(server.join) as ann:
        assert "1 of 2" in ann.page.text
        async with Participant(server.join) as bo, Participant(server.join) as cy:
            await asyncio.gather(ann.reaches("Your decision"), bo.reaches("Your decision"))
            assert cy.page.heading == "Please wait"
            await ann.submit(cooperate=words[one])
            assert ann.page.heading == "Please wait"
            assert "1 of 2" in ann.page.text
            await bo.submit(cooperate=words[other])
            for player, earned in zip((ann, bo), points, strict=True):
                await player.reaches(f"You earn {earned} points")
            assert f"You have {'cooperated' if one else 'defected'}" in ann.page.text
            assert f"the other person has {'cooperated' if other else 'defected'}" in ann.page.text


async def test_in_two_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("prisoners_dilemma", players=2)
    ann = await visit(server.players[0])
    await expect(ann.get_by_role("heading", level=1)).to_have_text("Please wait")
    await looks_right(ann, axe)
    bo = await visit(server.players[1])
    await expect(ann.get_by_role("heading", level=1)).to_have_text("Your decision")
    await looks_right(ann, axe)
    await ann.get_by_label("I cooperate").check()
    await ann.get_by_role("button", name="Next").click()
    await expect(ann.get_by_text("1 of 2")).to_be_visible()
    await bo.get_by_label("I defect").check()
    await bo.get_by_role("button", name="Next").click()
    await expect(ann.get_by_role("heading", level=1)).to_have_text("You earn 0 points")
    await expect(bo.get_by_role("heading", level=1)).to_have_text("You earn 8 points")
    await looks_right(bo, axe)
