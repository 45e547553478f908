"""The quiz: hints, attempts that are counted once, the way back, and the end for those who do not understand."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

RIGHT = {"others": 3, "keeps": "I do", "result": 30}


async def to_the_questions(ann: Participant) -> None:
    assert await ann.call("calculate", 10, 30) == 30
    await ann.submit()
    assert ann.page.heading == "Questions"


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("quiz")
    async with Participant(server.join) as ann, Participant(server.join) as bo:
        await ann.submit()
        assert ann.page.errors == {"": "Please try the calculator before you go on."}
        await to_the_questions(ann)
        await ann.back()
        assert ann.page.heading == "Instructions"
        await ann.submit()
        await ann.submit(others=4, keeps="I do", result=30)
        assert ann.page.errors == {"others": "A group has four members. You are one of them."}
        assert ann.page.fields["result"].value == ["30"], "what was right is still there"
        await ann.submit(**{**RIGHT, "result": 20})
        assert list(ann.page.errors) == ["result"]
        await ann.submit(**RIGHT)
        assert ann.page.heading == "All correct"
        assert "It took you 3, 3 and 2 attempts" in ann.page.text
        assert "$0.50" in ann.page.text
        await ann.submit()
        assert ann.ended

        await to_the_questions(bo)
        await bo.submit(**RIGHT)
        assert "You had everything right at once." in bo.page.text
        assert "$1.00" in bo.page.text


async def test_a_double_click_is_one_attempt_and_three_are_too_many(serve: Serve) -> None:
    server = serve("quiz", players=2)
    async with Participant(server.players[0]) as ann, Participant(server.players[0]) as again:
        await to_the_questions(ann)
        await again.load()
        wrong = {"others": "3", "keeps": "me", "result": "7", "_submission": "twice"}
        await asyncio.gather(*(one.post(wrong) for one in (ann, again)))
        await ann.submit(**{**RIGHT, "result": 8})
        assert list(ann.page.errors) == ["result"], "the double click was one attempt, this the second"
        await ann.submit(**{**RIGHT, "result": 9})
        assert ann.page.heading == "Thank you for your time"
        assert "would have been 30 tokens" in ann.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("quiz", players=1).players[0])
    await page.get_by_role("button", name="To the questions").click()
    await expect(page.get_by_role("alert")).to_contain_text("Please try the calculator")
    await looks_right(page, axe)
    await page.get_by_label("You put in").fill("21")
    await page.get_by_role("button", name="Calculate").click()
    await expect(page.locator("#earned")).to_contain_text("20")
    await page.get_by_label("You put in").fill("20")
    await page.get_by_role("button", name="Calculate").click()
    await expect(page.locator("#earned")).to_have_text("You earn 10 tokens.")
    await page.get_by_role("button", name="To the questions").click()
    await page.get_by_role("radio", name="4").check()
    await page.get_by_role("radio", name="Nobody").check()
    await page.get_by_label("How many do you earn").fill("3")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_text("Tokens that you keep are yours alone.")).to_have_count(2)
    await looks_right(page, axe)
    await page.get_by_role("radio", name="3").check()
    await page.get_by_role("radio", name="I do").check()
    await page.get_by_label("How many do you earn").fill("30")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("All correct")
    await looks_right(page, axe)
