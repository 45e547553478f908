"""The trust game, played: the receiver can send back what there is, and is not asked where there is nothing."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def roles(ann: Participant, bo: Participant) -> tuple[Participant, Participant]:
    """The sender and the receiver."""
    for one in (ann, bo):
        while one.page.heading == "Please wait":
            await one.moved()
    assert {ann.page.heading, bo.page.heading} == {"You are the sender", "The sender decides"}
    return (ann, bo) if ann.page.fields else (bo, ann)


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("trust_game", players=2)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        sender, receiver = await roles(ann, bo)
        await sender.submit(sent=4, expected=13)
        assert sender.page.errors == {"expected": "The receiver will have only 12 points."}
        await sender.submit(expected=6)
        assert sender.page.heading == "The receiver decides"
        await receiver.reaches("You have received 12 points")
        await receiver.submit(sent_back=13)
        assert list(receiver.page.errors) == ["sent_back"]
        await receiver.submit(sent_back=5)
        await sender.reaches("You have 11 points")  # 10 - 4 + 5
        await receiver.reaches("You have 7 points")


async def test_who_receives_nothing_is_not_asked(serve: Serve) -> None:
    server = serve("trust_game", players=2)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        sender, receiver = await roles(ann, bo)
        await sender.submit(sent=0, expected=0)
        await sender.reaches("You have 10 points")
        await receiver.reaches("You have 0 points")


async def test_in_two_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("trust_game", players=2)
    pages = [await visit(link) for link in server.players]
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_contain_text("sender")
    if await pages[1].get_by_label("How many points do you send?").count():
        pages.reverse()
    sender, receiver = pages
    await looks_right(sender, axe)
    await looks_right(receiver, axe)
    await sender.get_by_label("How many points do you send?").fill("10")
    await sender.get_by_label("How many points will come back").fill("15")
    await sender.get_by_role("button", name="Next").click()
    await expect(receiver.get_by_role("heading", level=1)).to_have_text("You have received 30 points")
    await looks_right(receiver, axe)
    await receiver.get_by_label("How many points do you send back?").fill("15")
    await receiver.get_by_role("button", name="Next").click()
    await expect(sender.get_by_role("heading", level=1)).to_have_text("You have 15 points")
    await looks_right(sender, axe)
