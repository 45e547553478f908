"""The sums: right ones are paid, and the time is over for everybody, with a browser or without."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.client_python.stranger import CallError
from tests.examples.conftest import Serve, Visit
from tests.examples.stage import comes_true, looks_right, with_settings
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve, tmp_path: Path) -> None:
    server = serve(with_settings(tmp_path / "project", "real_effort", seconds=2), players=1)
    async with Participant(server.players[0]) as ann:
        assert "You have 2 seconds." in ann.page.text
        await ann.submit()
        task = ann.page.vars["task"]
        for right in (True, False, True, True):
            answer = await ann.call("answer", sum(task) if right else 1)
            task = answer["task"]
        assert (await ann.load()).vars == {"task": task, "correct": 3}, "a reload gives no other task"
        with pytest.raises(CallError, match="total"):
            await ann.call("answer", "many")
        await ann.reaches("Time is up")
        assert "You have entered 4 sums; 3 of them were correct. You have earned $0.30." in ann.page.text


async def test_the_time_is_over_without_a_browser_too(serve: Serve, tmp_path: Path) -> None:
    server = serve(with_settings(tmp_path / "project", "real_effort", seconds=0.5), players=1)
    async with Participant(server.players[0]) as ann:
        await ann.submit()
    server.kill_and_restart()
    async with Participant(server.players[0]) as ann:
        await ann.reaches("Time is up")
        assert "You have entered 0 sums" in ann.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, tmp_path: Path, axe: str) -> None:
    page = await visit(serve("real_effort", players=1).players[0])
    await looks_right(page, axe)
    await page.get_by_role("button", name="Start").click()
    await expect(page.locator("#task")).to_contain_text("+")
    for correct in (1, 2):
        total = sum(map(int, (await page.locator("#task").inner_text()).split(" + ")))
        await page.get_by_label("The sum").fill(str(total))
        await page.get_by_label("The sum").press("Enter")
        await expect(page.locator("#score")).to_have_text(f"Correct so far: {correct}")
    await looks_right(page, axe)

    server = serve(with_settings(tmp_path / "project", "real_effort", seconds=2), players=1)
    page = await visit(server.players[0])
    await page.get_by_role("button", name="Start").click()
    await comes_true(page, "document.querySelector('h1').innerText === 'Time is up'")
    await looks_right(page, axe)
