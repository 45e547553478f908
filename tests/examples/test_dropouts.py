"""The game that goes on: without those who leave, those who do nothing, those who never come."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import ROOT, Server, looks_right
from tests.participant import Participant, crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

Hasty = Callable[..., Server]
LONG = 3600


@pytest.fixture
def hasty(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hasty:
    """The example with other times: `hasty(tolerance=1)`; what is not named takes an hour."""
    monkeypatch.setenv("GRIMOIRE_GRACE_AWAY", "0.5")  # seconds until nobody is there

    def start(*, tolerance: float = LONG, meet: float = LONG, together: float = LONG, players: int = 0) -> Server:
        app = shutil.copytree(ROOT / "examples" / "dropouts", tmp_path / "dropouts")
        code = (app / "__init__.py").read_text("utf-8")
        for old, new in (
            (r"DROPOUT_TOLERANCE = 20", f"DROPOUT_TOLERANCE = {tolerance}"),
            (r"patience = 60", f"patience = {meet}"),
            (r"patience = 90", f"patience = {together}"),
        ):
            code, count = re.subn(old, new, code)
            assert count == 1
        (app / "__init__.py").write_text(code, "utf-8")
        return serve(app, players=players)

    return start


async def begin(*people: Participant) -> None:
    for one in people:
        await one.submit()
    await asyncio.gather(*(one.reaches("Your contribution") for one in people))


async def test_who_leaves_is_not_waited_for_and_who_is_alone_is_through(hasty: Hasty) -> None:
    server = hasty(tolerance=1, players=3)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        async with Participant(server.players[2]) as cy:
            await begin(ann, bo, cy)
        await ann.submit(contribution=20)
        await bo.submit(contribution=0)
        for one in (ann, bo):
            await one.reaches("Round 1 of 3")
            assert "The 2 of you have put 20 points into the project. Each gets 15.0" in one.page.text
        assert any("Somebody of your group has left" in text for text in ann.texts)
        await ann.submit()
        await bo.submit()

        async with Participant(server.players[2]) as cy:
            assert cy.page.heading == "The others have gone on"
            await cy.submit()
            assert cy.ended

        server.kill_and_restart()
        await ann.load()
        await ann.submit(contribution=0)
        await bo.load()
        await bo._leave()
        await ann.reaches("You have 15.0 points")
        assert "All others have left" in ann.page.text
        await ann.submit()
        assert ann.ended


async def test_a_short_absence_is_none(hasty: Hasty) -> None:
    server = hasty(tolerance=3, players=3)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        async with Participant(server.players[2]) as cy:
            await begin(ann, bo, cy)
        await asyncio.sleep(1)
        async with Participant(server.players[2]) as cy:
            await asyncio.sleep(3)
            for one in (ann, bo, cy):
                await one.submit(contribution=10)
            await asyncio.gather(*(one.reaches("Round 1 of 3") for one in (ann, bo, cy)))
            assert "The 3 of you" in cy.page.text


async def test_who_does_nothing_is_waited_for_so_long_and_no_longer(hasty: Hasty) -> None:
    server = hasty(together=1)
    async with crowd(3, server.join) as people:
        ann, bo, cy = people
        await begin(*people)
        await ann.submit(contribution=10)
        await bo.submit(contribution=10)
        await asyncio.gather(ann.reaches("Round 1 of 3"), bo.reaches("Round 1 of 3"))
        assert "The 2 of you" in bo.page.text
        await cy.reaches("The others have gone on")
        for number in (2, 3):
            for one in (ann, bo):
                await one.submit()
                await one.submit(contribution=10)
            await asyncio.gather(ann.reaches(f"Round {number} of 3"), bo.reaches(f"Round {number} of 3"))
        await ann.submit()
        assert ann.page.heading == "You have 75.0 points"
        await ann.submit()
        assert ann.ended, "the page for those who have been left behind is not for those who have not"


@pytest.mark.parametrize("count", [1, 2])
async def test_who_finds_nobody_is_paid_for_waiting_and_two_are_enough(hasty: Hasty, count: int) -> None:
    server = hasty(meet=1)
    async with crowd(count, server.join) as people:
        for one in people:
            await one.submit()
        if count == 2:
            await asyncio.gather(*(one.reaches("Your contribution") for one in people))
        else:
            await people[0].reaches("Nobody else is here")
            assert "You get 10 points" in people[0].page.text
            await people[0].submit()
            assert people[0].ended


async def test_in_browsers(hasty: Hasty, visit: Visit, axe: str) -> None:
    server = hasty(tolerance=1, players=3)
    pages = [await visit(link) for link in server.players]
    await looks_right(pages[0], axe)
    for page in pages:
        await page.get_by_role("button", name="Next").click()
    for page in pages:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your contribution")
    ann, bo, cy = pages
    await looks_right(ann, axe)
    await cy.goto("about:blank")
    for page in (ann, bo):
        await page.get_by_label("How many").fill("5")
        await page.get_by_role("button", name="Next").click()
    await expect(ann.get_by_role("heading", level=1)).to_have_text("Round 1 of 3")
    await looks_right(ann, axe)
    await cy.goto(server.players[2])
    await expect(cy.get_by_role("heading", level=1)).to_have_text("The others have gone on")
    await looks_right(cy, axe)
    await ann.goto("about:blank")
    await expect(bo.get_by_role("heading", level=1)).to_have_text("You have 22.5 points")
    await looks_right(bo, axe)
