"""The study in several languages: every text of every page in the participant's, the framework's own included."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("multilanguage")
    async with Participant(server.join, lang="de") as ann, Participant(server.join, lang="xx") as bo:
        assert ann.page.heading == "Ihre Entscheidung"
        assert '<html lang="de" dir="ltr">' in ann.page.html
        assert "Sie haben 12 Marken, zusammen 15,00 €. Sie können sie behalten" in ann.page.text
        assert ann.page.buttons == {"": "Weiter"}
        await ann.submit(given=13)
        assert re.search("12", ann.page.errors["given"])
        assert "Please" not in ann.page.text
        await ann.submit(given=1)
        assert "Sie haben 1 Marke gegeben." in ann.page.text
        await bo.submit(chosen="English")
        assert "Each is worth €1.25." in bo.page.text
        await bo.submit(given=2)
        assert "You have given 2 tokens. You keep €12.50." in bo.page.text


@pytest.mark.parametrize(
    ("given", "said"),
    [(0, "لم تتبرع بأي رمز."), (1, "برمز واحد."), (2, "برمزين."), (3, "بـ 3 رموز."), (11, "بـ 11 رمزًا.")],
)
async def test_plurals_of_arabic(serve: Serve, given: int, said: str) -> None:
    async with Participant(serve("multilanguage", players=1).players[0]) as ann:
        await ann.submit(chosen="العربية")
        assert ann.page.heading == "قرارك"
        await ann.submit(given=given)
        assert said in ann.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("multilanguage", players=1).players[0])
    await looks_right(page, axe)
    await page.get_by_label("العربية").check()
    await page.locator("#grimoire-button-next").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("قرارك")
    assert await page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    await looks_right(page, axe)
    await page.get_by_role("spinbutton").fill("5")
    await page.get_by_role("button", name="التالي").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("شكرًا لك")
    await looks_right(page, axe)
