"""The Stroop task: every answer is stored once, a reload goes on, and the times are those of the browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.client_python.stranger import CallError
from tests.examples.conftest import Serve, Visit
from tests.examples.stage import comes_true, looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("stroop", players=1)
    async with Participant(server.players[0]) as ann:
        await ann.submit()
        trials: list[dict[str, Any]] = ann.page.vars["trials"]
        assert len(trials) == 24
        assert sum(one["word"] == one["ink"] for one in trials) == 12
        mistake = next(place for place, one in enumerate(trials) if one["word"] != one["ink"])
        for place, one in enumerate(trials):
            if place == 10:
                server.kill_and_restart()
                assert (await ann.load()).vars["done"] == 10
                await ann.post({})
                assert ann.page.errors == {"": "You cannot go on yet."}
            same = one["word"] == one["ink"]
            key = one["word"] if place == mistake else one["ink"]
            await ann.call("answer", place, key, 400 if same else 500)
            await ann.call("answer", place, key, 9999)  # of a second tab, say: does nothing
        for wrong in (("x", 3), ("r", -1), ("r", "soon")):
            with pytest.raises(CallError, match="arguments"):
                await ann.call("answer", 24, *wrong)
        await ann.post({})
        assert "the name of its colour 400 ms" in ann.page.text
        assert "the name of another colour 500 ms" in ann.page.text
        assert "The difference, 100 ms, is your Stroop effect. You made one mistake." in ann.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("stroop", players=1).players[0])
    await looks_right(page, axe)
    await page.get_by_role("button", name="Start").click()
    for place in range(24):
        await comes_true(page, f"trial === {place} && shown !== null")
        if place == 1:
            await looks_right(page, axe)
            await page.keyboard.press("x")
            await page.keyboard.press("Alt+r")
        ink = await page.evaluate("trials[trial].ink")
        if place % 2:
            await page.keyboard.press(ink)
        else:
            await page.locator(f"[data-key={ink}]").click()
        if place == 5:
            await page.evaluate("grimoire.invoke('answer', 0, 'r', 1)")  # comes after the one that counts
            await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your times")
    await expect(page.get_by_text("You made 0 mistakes.")).to_be_visible()
    times = re.findall(r"([\d,]+)\sms", await page.get_by_role("table").inner_text())
    assert len(times) == 2
    assert all(0 < float(time.replace(",", "")) < 60_000 for time in times)
    await looks_right(page, axe)
