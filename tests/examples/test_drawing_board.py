"""The drawing board, played: everybody sees every stroke, in the same order, also after a reload."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.examples.conftest import Enter, Serve, Visit
from tests.examples.stage import Refused, comes_true, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

BLACK, RED, EMPTY = "28 36 48 255", "194 47 54 255", "0 0 0 0"


async def draw(page: Page, start: tuple[float, float], end: tuple[float, float], steps: int = 30) -> None:
    """A stroke with the pointer, from and to parts of the board."""
    box = await page.locator("#board").bounding_box()
    assert box
    (x1, y1), (x2, y2) = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    await page.mouse.move(x1, y1)
    await page.mouse.down()
    await page.mouse.move(x2, y2, steps=steps)
    await page.mouse.up()


async def color_comes(page: Page, at: tuple[float, float], color: str) -> None:
    x, y = at
    await comes_true(
        page, f"pen.getImageData({x} * board.width, {y} * board.height, 1, 1).data.join(' ') === '{color}'"
    )


async def test_over_the_protocol(serve: Serve, enter: Enter) -> None:
    server = serve("drawing_board", players=2)
    ann, bo = [await enter(link) for link in server.players]
    stroke = {"points": [[0, 0], [0.5, 1]], "color": "red"}
    await ann.call("stroke", stroke["points"], "red")
    assert await bo.event("NewStroke") == stroke
    assert await ann.event("NewStroke") == stroke, "also to the one who drew, for the order"
    assert [one["points"] for one in (await enter(server.players[1])).vars["strokes"]] == [stroke["points"]]
    point = [0, 0]
    for points, color in (
        ([point], "red"),
        ([point] * 201, "red"),
        ([point, [0, 1.1]], "red"),
        ([point, [0]], "red"),
        ("none", "red"),
        ([point, point], "pink"),
    ):
        with pytest.raises(Refused) as refused:
            await ann.call("stroke", points, color)
        assert refused.value.code == "arguments"
    await bo.call("clear")
    assert await ann.event("Cleared") is None
    assert (await enter(server.players[0])).vars["strokes"] == []


async def test_browsers_a_reload_and_a_latecomer(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("drawing_board", players=2)
    ann, bo = [await visit(link) for link in server.players]
    await draw(ann, (0.1, 0.5), (0.9, 0.5))
    for page in (ann, bo):
        await color_comes(page, (0.25, 0.5), BLACK)
        await color_comes(page, (0.9, 0.5), BLACK)
    await bo.get_by_text("red").click()
    await draw(bo, (0.5, 0.1), (0.5, 0.9))

    late = await visit(server.join, viewport={"width": 390, "height": 844}, has_touch=True)
    await late.get_by_role("button", name="Join").click()
    await ann.reload()
    for page in (ann, bo, late):
        await color_comes(page, (0.5, 0.5), RED)  # the later stroke lies on top, everywhere
        await color_comes(page, (0.25, 0.5), BLACK)

    box = await late.locator("#board").bounding_box()
    assert box
    await late.touchscreen.tap(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    for page in (ann, bo, late):
        await color_comes(page, (0.25, 0.25), BLACK)
        await looks_right(page, axe)
    await ann.get_by_role("button", name="Clear the board").click()
    for page in (ann, bo, late):
        await color_comes(page, (0.5, 0.5), EMPTY)
    await bo.reload()
    await color_comes(bo, (0.5, 0.5), EMPTY)
    await expect(bo.get_by_role("button", name="Next")).to_have_count(0)
