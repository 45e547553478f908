"""The observed diary, played: the observer sees what the writer types, and a reload shows it again."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Enter, Serve, Visit
from tests.examples.stage import Refused, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve, enter: Enter) -> None:
    server = serve("observed_diary", players=4)
    writer, observer, other_writer, other_observer = [await enter(link) for link in server.players]
    await writer.call("typed", "Dear")
    await writer.call("typed", "Dear diary")
    assert [await observer.event(None), await observer.event(None)] == ["Dear", "Dear diary"]
    await other_writer.call("typed", "Elsewhere")
    assert await other_observer.event(None) == "Elsewhere"
    assert observer.events == [], "the diary of another pair was shown"
    with pytest.raises(Refused, match="Only the writer can write"):
        await observer.call("typed", "I was here")
    with pytest.raises(Refused, match="text"):
        await writer.call("typed", "x" * 5001)


async def test_two_browsers_and_a_reload(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("observed_diary")
    writer = await visit(server.join)
    await writer.get_by_role("button", name="Join").click()
    await expect(writer.locator("#observer")).to_have_text("Nobody is reading yet")
    text = writer.get_by_label("What happened today?")
    await text.press_sequentially("It rained.")

    observer = await visit(server.join)
    await observer.get_by_role("button", name="Join").click()
    await expect(writer.locator("#observer")).to_have_text("Somebody is reading along")
    await expect(observer.locator("#entry")).to_have_text("It rained.")
    await text.press("End")
    await text.press_sequentially("\n<b>Then</b> the sun came out.")
    written = "It rained.\n<b>Then</b> the sun came out."
    await expect(observer.locator("#entry")).to_have_text(written, use_inner_text=True)
    await writer.reload()
    await expect(text).to_have_value(written)
    await observer.reload()
    await expect(observer.locator("#entry")).to_have_text(written, use_inner_text=True)
    for page in (writer, observer):
        await looks_right(page, axe)

    await text.fill("Done.")  # and Next at once
    await writer.get_by_role("button", name="Finish the entry").click()
    await expect(writer.locator("blockquote")).to_have_text("Done.")
    await expect(observer.locator("#writer")).to_have_text("The entry is finished")
    await expect(observer.locator("#entry")).to_have_text("Done.")
    await observer.get_by_role("button", name="Stop reading").click()
    await expect(observer.locator("blockquote")).to_have_text("Done.")
    await looks_right(observer, axe)
