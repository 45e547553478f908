"""The Big Five, answered: the order that was drawn stays, and the scores are right, reversed items included."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("big5", players=2)
    async with Participant(server.players[0]) as ann, Participant(server.players[1]) as bo:
        shown = list(ann.page.fields)
        assert len(shown) == 20
        assert list(bo.page.fields) != shown, "everybody has an order of their own"
        assert list((await ann.load()).fields) == shown
        # All for extraversion and against agreeableness; of the others the middle.
        answers = {name: {"e": 5, "a": 1}.get(name[0], 3) for name in shown}
        answers |= {name: 6 - answer for name, answer in answers.items() if name.endswith("r")}
        missing = shown[7]
        await ann.submit(**{**answers, missing: None})
        assert ann.page.errors == {missing: "Please answer this question."}
        assert list(ann.page.fields) == shown
        server.kill_and_restart()
        assert list((await ann.load()).fields) == shown
        await ann.submit(**answers)
        assert ann.page.heading == "Your profile"
        for trait in ("Extraversion 5.00", "Agreeableness 1.00", "Conscientiousness 3.00", "Neuroticism 3.00"):
            assert trait in ann.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("big5", players=1).players[0])
    await looks_right(page, axe)
    for question in await page.get_by_role("radiogroup").all():
        await question.get_by_label("Rather accurate").check()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your profile")
    await looks_right(page, axe)
