"""Time pressure: what was chosen in time counts, what nobody chose is missing, and the lot decides in its place."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right, with_settings
from tests.participant import crowd

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve, tmp_path: Path) -> None:
    project = with_settings(tmp_path / "project", "timeouts", seconds_pressure=1, seconds_time=1)
    async with crowd(4, serve(project).join) as people:
        await asyncio.gather(*(one.submit() for one in people))
        quick, late, half, away = people
        await quick.submit(given=4, sure="Yes")
        assert quick.page.heading == "Your thoughts"
        await asyncio.sleep(1)
        await late.time_out()
        await half.time_out(given=3)
        await away.reaches("Your thoughts")  # the server goes on without a browser
        for one in people:
            await one.submit(thoughts="None")
        assert "You give $4.00, and keep $6.00." in quick.page.text
        assert "You give $3.00" in half.page.text
        assert "You have not said whether you are sure." in half.page.text
        for one in (late, away):
            assert re.search(r"By lot, you give \$\d+\.00", one.page.text)


async def test_in_a_browser(serve: Serve, visit: Visit, tmp_path: Path, axe: str) -> None:
    page = await visit(serve("timeouts", players=1).players[0])
    await looks_right(page, axe)
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your decision")

    project = with_settings(tmp_path / "project", "timeouts", seconds_pressure=60, seconds_time=60)
    page = await visit(serve(project, players=1).players[0])
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("How much do you give?").press("Home")
    await looks_right(page, axe)
    await page.get_by_role("radio", name="No").check()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_label("What went through your mind?")).to_be_visible()
    await looks_right(page, axe)
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_text("You give $0.00, and keep $10.00.")).to_be_visible()
    await looks_right(page, axe)


async def test_a_browser_sends_what_it_has(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    project = with_settings(tmp_path / "project", "timeouts", seconds_pressure=3, seconds_time=3)
    page = await visit(serve(project, players=1).players[0])
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("How much do you give?").press("End")
    await expect(page.get_by_label("What went through your mind?")).to_be_visible()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_text("You give $10.00, and keep $0.00.")).to_be_visible()
