"""The ticker, watched: the background task pushes the same prices to everybody."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.examples.conftest import Enter, Serve, Visit
from tests.examples.stage import comes_true, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve, enter: Enter) -> None:
    server = serve("ticker", players=2)
    ann, bo = [await enter(link) for link in server.players]
    seen = [*ann.vars["prices"], *[await ann.event("Price") for _ in range(3)]]
    assert seen[0] == 100
    also = bo.vars["prices"]
    while len(also) < len(seen):
        also.append(await bo.event("Price"))
    assert also[: len(seen)] == seen
    late = await enter(server.players[1])
    assert late.vars["prices"][: len(seen)] == seen, "who comes late, or again, gets the history"


async def prices(page: Page) -> list[float]:
    found: list[float] = await page.evaluate("prices")
    return found


async def test_two_browsers_see_the_same_chart(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("ticker", players=2)
    ann, bo = [await visit(link) for link in server.players]
    for page in (ann, bo):
        await comes_true(page, "prices.length >= 4")
    one, other = await prices(ann), await prices(bo)
    length = min(len(one), len(other))
    assert one[:length] == other[:length]
    assert await ann.evaluate("document.getElementById('line').points.length === prices.length")
    # Asked in one go: the price moves while we look.
    assert await ann.evaluate("document.getElementById('price').innerText === prices.at(-1).toFixed(2)")

    await ann.reload()
    await comes_true(ann, "prices.length >= 4")
    assert (await prices(ann))[: len(one)] == one
    late = await visit(server.join)
    await late.get_by_role("button", name="Join").click()
    await comes_true(late, "prices.length >= 4")
    assert (await prices(late))[: len(one)] == one
    await looks_right(ann, axe)


async def test_the_chart_keeps_sixty_prices(serve: Serve, visit: Visit) -> None:
    page = await visit(serve("ticker", players=1).players[0])
    await page.evaluate("grimoire.vars.prices.splice(0, Infinity, ...Array(60).fill(1))")
    await comes_true(page, "prices.at(-1) !== 1")
    assert len(await prices(page)) == 60
    assert await page.evaluate("document.getElementById('line').points[0].x") == 0
