"""What one participant, or anybody with a browser, cannot make the server hold or do."""

from __future__ import annotations

import json

import pytest

from promptgrimoire.errors import NotFound
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import settle

HITS = '''
class Target(Page):
    """# Target"""

    fields = dict(n=IntegerField(label="n"))

    @live
    def hit(page, player):
        player.hits = player.get("hits", 0) + 1
        return "x" * 500

page_order = [Target]
'''
LIMITS = Limits(calls_per_second=5.0, call_burst=10, waiting_calls=20, outbox_bytes=1_000)


def carried(document: str, number: int) -> dict[str, str]:
    """A form with one document's calls that never arrived."""
    calls = [{"n": n, "method": "hit"} for n in range(1, number + 1)]
    return {"_calls": json.dumps([{"document": document, "calls": calls}]), "n": "no number"}


async def test_evidence_39_calls_that_come_with_submissions_have_a_rate_too(serve: Serve) -> None:
    server = await serve(HITS, settings=Settings(limits=LIMITS))
    await server.opened()
    for times in range(10):
        await server.submit(data=carried(f"document{times}-00000000", 15))
    player = await server.player()
    before = player.hits
    assert 15 <= before <= 30, "as many as may wait, and the burst of all others"
    await server.clock.advance(4)
    await server.submit(data=carried("document-00000001", 15))
    assert player.hits == before + 15, "whoever waits may carry again"


async def test_one_submission_carries_as_many_calls_as_may_wait_in_how_many_documents(serve: Serve) -> None:
    server = await serve(HITS, settings=Settings(limits=LIMITS))
    await server.opened()
    documents = [{"document": f"document{k:04d}-0000", "calls": [{"n": 1, "method": "hit"}]} for k in range(500)]
    await server.submit(data={"_calls": json.dumps(documents), "n": "no number"})
    assert (await server.player()).hits == 20
    host = await server.host()
    assert len(host.deliveries.of(1).tables) < 50


async def test_a_browser_that_settles_no_call_is_disconnected_and_may_come_back(serve: Serve) -> None:
    server = await serve(HITS, settings=Settings(limits=LIMITS))
    browser = await server.opened()
    for _ in range(20):
        browser.next += 1
        browser._post(browser.next - 1, "hit", [], done=0)
        await server.clock.advance(1)
    assert browser.sink is not None
    assert browser.sink.closed_with == (4008, "too many calls have ended and are not called settled")
    table = (await server.host()).deliveries.of(1).tables[browser.document]
    assert table.held < 10 * 1_000 + 1_000
    browser.next = table.expected  # what the server did not take was not called
    browser.lose()
    await browser.connect()
    assert (table.held, table.outcomes) == (0, {})
    assert await browser.ask("hit") == "x" * 500
    await settle()


async def test_sessions_that_do_not_exist_are_not_remembered(serve: Serve) -> None:
    server = await serve(HITS)
    for number in range(50):
        with pytest.raises(NotFound):
            await server.gateway.host(f"nothing{number}")
    assert list(server.gateway._touched) == [server.session]
