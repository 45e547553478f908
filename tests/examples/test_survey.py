"""The survey, filled in: every kind of field, what is refused, and what is stored nowhere."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

IBAN = "DE89 3704 0044 0532 0130 00"
ABOUT = {"nickname": "Ann", "age": 33, "gender": "Female", "country": "Austria", "here_since": "2020-05-01"}
DAY = {"sleep": 8, "work": 8, "leisure": 8, "rent": "912.50", "busy": 4, "happy": 7, "luck": 0.25, "news": ["Radio"]}


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("survey")
    async with Participant(server.join) as ann:
        await ann.submit()
        assert ann.page.errors == {"consent": "Please tick this box to go on."}
        await ann.submit(consent=True)
        await ann.submit(age=17, email="nobody@nowhere")
        assert set(ann.page.errors) == {"nickname", "age", "gender", "country", "email"}
        await ann.submit(**ABOUT, email=None)
        await ann.back(better="Sunshine")
        assert ann.page.fields["nickname"].value == ["Ann"]
        await ann.submit()
        assert ann.page.heading == "Your day, Ann"
        assert ann.page.fields["better"].value == ["Sunshine"]
        assert ann.page.fields["happy"].value == [], "a slider without an anchor has no value that nobody chose"
        await ann.submit(**{**DAY, "leisure": 9.5})
        assert ann.page.errors == {"leisure": "A day has 24 hours; these are 25.5."}
        await ann.submit(leisure=8, news=["Radio", "Podcasts", "Friends", "Newspapers"])
        assert set(ann.page.errors) == {"news"}
        await ann.submit(news=["Radio", "Friends"])
        await ann.submit(donate="No")
        assert ann.page.errors == {"iban": "We need your IBAN to pay you."}
        await ann.submit(donate="No", iban=IBAN.replace("9", "8", 1), ticket=("cv.docx", b"x", "text/plain"))
        assert set(ann.page.errors) == {"iban", "ticket"}
        await ann.submit(donate="No", iban=IBAN, bic="COBADEFFXXX", ticket=("taxi.png", b"picture", "image/png"))
        assert ann.page.heading == "Thank you, Ann"
        assert "the account that ends with 3000" in ann.page.text
        assert "taxi.png" in ann.page.text
    written = b"".join(path.read_bytes() for path in server.database.parent.rglob("*") if path.is_file())
    assert b"nickname" in written
    assert b"0532" not in written, "what is stealth is in no file of the server"
    assert b"COBADEFF" not in written


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("survey", players=1).players[0])
    await looks_right(page, axe)
    await page.get_by_label("I am at least 18").check()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("What shall we call you?").fill("Ann")
    await page.get_by_label("How old are you?").fill("33")
    await page.get_by_label("Female").check()
    await page.get_by_label("Where do you live?").select_option("Austria")
    await looks_right(page, axe)
    back, next_ = [await page.get_by_role("button", name=name).bounding_box() for name in ("Back", "Next")]
    assert back
    assert next_
    assert back["x"] < next_["x"], "Back is where one goes back to"
    await page.get_by_role("button", name="Next").click()

    for hours in ("Sleep", "Work", "Everything else"):
        await page.get_by_label(hours).fill("9")
    await page.get_by_role("radiogroup", name="How busy").get_by_label("4").check()
    await page.get_by_label("Podcasts").check()
    await page.get_by_label("How happy").press("End")
    await page.get_by_label("How much of it is luck?").focus()
    await page.keyboard.press("Space")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_text("A day has 24 hours; these are 27.0.")).to_have_count(2)
    await looks_right(page, axe)
    await page.get_by_label("Everything else").fill("6")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("radiogroup", name="Red Cross").get_by_label("Yes").check()
    await looks_right(page, axe)
    await page.get_by_role("button", name="Finish").click()
    await expect(page.get_by_text("The Red Cross gets your two euros.")).to_be_visible()
    await looks_right(page, axe)
