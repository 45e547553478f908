"""The repeated dilemma, played: partners have equally many rounds, and each begins without the last one's answer."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant, crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def decision(one: Participant, number: int) -> bool:
    """Whether there is a decision number so-and-so to be made; waits for what comes."""
    while one.page.heading in ("Please wait", f"Round {number - 1}"):
        await one.moved()
    return one.page.heading == f"Round {number}"


async def play(one: Participant, cooperates: bool) -> int:
    """All rounds; gives their number."""
    await one.submit()
    rounds = 0
    while await decision(one, rounds + 1):
        rounds += 1
        assert one.page.fields["cooperate"].value == []
        await one.submit(cooperate="I cooperate" if cooperates else "I defect")
    return rounds


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("repeated_dilemma")
    async with crowd(20, server.join) as people:
        # Whoever comes at the same time plays together: partners are told apart by what they have earned.
        rounds = await asyncio.gather(*(play(one, place % 2 == 0) for place, one in enumerate(people)))
    total = 0
    for one, number in zip(people, rounds, strict=True):
        points = int(one.page.heading.split()[2])
        assert (
            one.page.root.all("tbody")[0].text.count("cooperated")
            + one.page.root.all("tbody")[0].text.count("defected")
            == 2 * number
        )
        total += points
    for number in set(rounds):
        assert rounds.count(number) % 2 == 0, "partners play equally many rounds"
    assert len(set(rounds)) > 1, "pairs end at different times (all ten alike: not once in a hundred thousand runs)"


async def test_in_two_browsers(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("repeated_dilemma", players=2)
    pages = [await visit(link) for link in server.players]
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Round 1")
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_label("I cooperate").check()
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("rowheader", name="1")).to_be_visible()
    await looks_right(pages[0], axe)
