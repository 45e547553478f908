"""The dictator game, played: everybody decides, and one decision of each pair counts."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("dictator", players=2)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        await ann.submit()
        assert list(ann.page.errors) == ["given"], "a slider that nobody has touched is no answer"
        await ann.submit(given="10.25")
        assert list(ann.page.errors) == ["given"]
        await ann.submit(given="2.50")
        assert "As soon as somebody else has decided too" in ann.page.text
        assert "1 of 2" in ann.page.text
        await bo.submit(given="10")
        for one in (ann, bo):
            while not one.page.heading.startswith("You earn"):
                await one.moved()
        earned = [one.page.heading for one in (ann, bo)]
        counts = ["Your decision counts" in one.page.text for one in (ann, bo)]
        assert counts in ([True, False], [False, True])
        assert earned == (["You earn $7.50", "You earn $2.50"] if counts[0] else ["You earn $10.00", "You earn $0.00"])


async def test_in_two_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("dictator", players=2)
    ann, bo = [await visit(link) for link in server.players]
    await looks_right(ann, axe)
    for page, given in ((ann, "3"), (bo, "3")):
        await page.get_by_label("How much do you give").fill(given)
        await expect(page.get_by_text("$3.00")).to_be_visible()
    await looks_right(bo, axe)
    await ann.get_by_role("button", name="Next").click()
    await expect(ann.get_by_role("heading", level=1)).to_have_text("Thank you")
    await looks_right(ann, axe)
    await bo.get_by_role("button", name="Next").click()
    for page in (ann, bo):
        await expect(page.get_by_role("heading", level=1)).to_contain_text("You earn $")
    await looks_right(ann, axe)
