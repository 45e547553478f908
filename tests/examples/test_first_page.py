"""What a participant's first page costs: requests, bytes on the wire, documents (evidence.md, line 48)."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.examples.conftest import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MOST_REQUESTS = 12
MOST_BYTES = 40_000
MOST_DOCUMENTS = 2


class Wire:
    """Everything that one fresh browser asks for, as its network stack counts it."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.bytes = 0

    def asked(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("data:"):
            return
        self.requests.append(event)
        self.bytes += event.get("redirectResponse", {}).get("encodedDataLength", 0)

    def loaded(self, event: dict[str, Any]) -> None:
        self.bytes += event["encodedDataLength"]  # headers and the body as it was compressed

    @property
    def documents(self) -> list[str]:
        """Addresses of the pages shown: what answered a POST with a redirect is none."""
        return [one["request"]["url"] for one in self.requests if one["type"] == "Document" and not _is_post(one)]

    @property
    def sockets(self) -> list[str]:
        return [one["request"]["url"] for one in self.requests if one["type"] == "WebSocket"]


def _is_post(event: dict[str, Any]) -> bool:
    found: bool = event["request"]["method"] == "POST"
    return found


async def record(browser: Browser) -> tuple[Any, Wire]:
    context = await browser.new_context()
    page = await context.new_page()
    network = await context.new_cdp_session(page)
    wire = Wire()
    network.on("Network.requestWillBeSent", wire.asked)
    network.on("Network.loadingFinished", wire.loaded)
    network.on(
        "Network.webSocketCreated",
        lambda event: wire.requests.append(
            {"type": "WebSocket", "request": {"url": event["url"], "method": "GET"}, "initiator": event["initiator"]}
        ),
    )
    await network.send("Network.enable")
    return page, wire


@pytest.mark.parametrize("example", ["counter", "market", "survey", "big5"])
async def test_evidence_48_the_first_page_is_light(serve: Serve, browser: Browser, example: str) -> None:
    server = serve(example, players=1)
    page, wire = await record(browser)
    await page.goto(server.players[0], wait_until="networkidle")
    assert len(wire.sockets) == 1
    assert len(wire.requests) <= MOST_REQUESTS, [one["request"]["url"] for one in wire.requests]
    assert 5_000 < wire.bytes <= MOST_BYTES

    # Side by side: the document itself names everything, so that nothing is found only when something else has come.
    late = [
        one["request"]["url"]
        for one in wire.requests
        if one["type"] not in ("Document", "WebSocket") and one["initiator"]["type"] != "parser"
    ]
    assert late == []
    assert not [one for one in wire.requests if "favicon" in one["request"]["url"]]
    await page.context.close()


async def test_evidence_48_two_documents_from_the_link_to_the_first_question(serve: Serve, browser: Browser) -> None:
    server = serve("counter")
    page, wire = await record(browser)
    await page.goto(server.join, wait_until="networkidle")
    # Without an icon of its own a page would make (visible) browsers ask for /favicon.ico.
    icon = "document.querySelector('link[rel=icon]')?.href.startsWith('data:') === true"
    assert await page.evaluate(icon)
    await page.get_by_role("button", name="Join").click()
    await expect(page.get_by_role("button", name="Add 10")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate(icon)
    assert len(wire.documents) <= MOST_DOCUMENTS, wire.documents
    assert len(wire.requests) <= MOST_REQUESTS + 2, "joining adds its page and its POST"
    assert wire.bytes <= MOST_BYTES
    await page.context.close()


async def test_evidence_48_a_second_page_costs_only_itself(serve: Serve, browser: Browser) -> None:
    server = serve("counter", players=1)
    page, wire = await record(browser)
    await page.goto(server.players[0], wait_until="networkidle")
    first = wire.bytes
    await page.goto(server.players[0], wait_until="networkidle")
    assert wire.bytes - first < first / 3, "style and modules come from the browser's cache"
    await page.context.close()
