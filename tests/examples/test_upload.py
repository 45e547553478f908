"""Uploads: what is no picture, or too large, is refused; what is sent comes back byte by byte."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Serve, Visit
from tests.examples.stage import looks_right
from tests.participant import Participant

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# One blue pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfz8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


async def test_over_the_protocol(serve: Serve) -> None:
    server = serve("upload")
    async with Participant(server.join) as ann:
        await ann.submit()
        assert ann.page.errors == {"photo": "Please choose a file."}
        await ann.submit(photo=("me.png", b"<svg>", "image/png"))
        assert ann.page.errors == {"photo": "This is no picture that we can read."}
        await ann.submit(photo=("me.gif", b"GIF89a", "image/gif"))
        assert list(ann.page.errors) == ["photo"]
        await ann.submit(photo=("window.png", PNG, "image/png"), story=("long.txt", b"x" * 100_001, "text/plain"))
        assert list(ann.page.errors) == ["story"]
        story = ("day.txt", "Two words, and more: Straße.".encode(), "text/plain")
        await ann.submit(photo=("<b>window.png", PNG, "image/png"), story=story)
        assert ann.page.heading == "Your photo"
        assert "<b>window.png, 0 kB" in ann.page.text, "a file's name is text"
        server.kill_and_restart()
        await ann.load()
        found = re.search(r'src="data:image/png;base64,([^"]+)"', ann.page.html)
        assert found
        assert base64.b64decode(found[1]) == PNG
        await ann.submit(caption="A blue sky.")
        assert "your text of 5 words" in ann.page.text


async def test_in_a_browser(serve: Serve, visit: Visit, axe: str) -> None:
    page = await visit(serve("upload", players=1).players[0])
    photo = page.get_by_label("A photo of what you see")
    await photo.set_input_files({"name": "large.png", "mimeType": "image/png", "buffer": PNG + bytes(4_000_000)})
    await page.get_by_role("button", name="Next").click()
    assert await photo.evaluate("input => input.validationMessage"), "the browser says so before anything is sent"
    await photo.set_input_files({"name": "window.png", "mimeType": "image/png", "buffer": PNG})
    await looks_right(page, axe)
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("img", name="The photo that you have sent")).to_be_visible()
    await page.get_by_label("What do we see here?").fill("A blue sky.")
    await looks_right(page, axe)
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    await looks_right(page, axe)
