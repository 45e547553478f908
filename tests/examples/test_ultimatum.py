"""The ultimatum game, played: each role meets its pages, and a rejection leaves both with nothing."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def roles(ann: Participant, bo: Participant) -> tuple[Participant, Participant]:
    """The proposer and the responder, on their first pages."""
    for one in (ann, bo):
        while one.page.heading == "Please wait":
            await one.moved()
    proposes = ann.page.heading == "You are the proposer"
    assert {ann.page.heading, bo.page.heading} == {"You are the proposer", "You are the responder"}
    return (ann, bo) if proposes else (bo, ann)


@pytest.mark.parametrize("accept", [True, False])
async def test_over_the_protocol(serve: Serve, accept: bool) -> None:
    server = serve("ultimatum", players=2)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        proposer, responder = await roles(ann, bo)
        await responder.submit()
        assert responder.page.heading == "The proposer makes an offer"
        assert "1 of 2" in responder.page.text
        await proposer.submit()
        await proposer.submit(offer=11)
        assert list(proposer.page.errors) == ["offer"]
        await proposer.submit(offer=3)
        await responder.reaches("You are offered $3")
        assert "the proposer would keep $7" in responder.page.text
        await proposer.reaches("The responder decides")
        server.kill_and_restart()
        await asyncio.gather(proposer.load(), responder.load())
        await responder.submit(accept="Yes" if accept else "No")
        await proposer.reaches("You earn $7" if accept else "You earn $0")
        await responder.reaches("You earn $3" if accept else "You earn $0")
        assert f"the responder has {'accepted' if accept else 'rejected'} it" in proposer.page.text


async def test_in_two_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("ultimatum", players=2)
    pages = [await visit(link) for link in server.players]
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_contain_text("You are the")
    await looks_right(pages[0], axe)
    if "responder" in await pages[0].get_by_role("heading", level=1).inner_text():
        pages.reverse()
    proposer, responder = pages
    for page in pages:
        await page.get_by_role("button", name="Next").click()
    await expect(responder.get_by_role("heading", level=1)).to_have_text("The proposer makes an offer")
    await looks_right(responder, axe)
    await looks_right(proposer, axe)
    await proposer.get_by_label("How much").fill("4")
    await proposer.get_by_role("button", name="Next").click()
    await expect(responder.get_by_role("heading", level=1)).to_have_text("You are offered $4")
    await looks_right(responder, axe)
    await responder.get_by_label("Yes").check()
    await responder.get_by_role("button", name="Next").click()
    await expect(proposer.get_by_role("heading", level=1)).to_have_text("You earn $6")
    await looks_right(proposer, axe)
