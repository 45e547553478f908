"""The counter, played: what one adds, the others see, also those who come later."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.examples.conftest import Enter, Serve, Visit
from tests.examples.stage import Refused, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_over_the_protocol(serve: Serve, enter: Enter) -> None:
    server = serve("counter", players=2)
    ann, bo = [await enter(link) for link in server.players]
    assert await ann.call("increment") == {"count": 1, "added": 1}
    assert await bo.call("increment", 10) == {"count": 11, "added": 10}
    assert bo.events == [("Counted", {"count": 1, "by": 1})]
    assert await ann.event("Counted") == {"count": 11, "by": 10}
    for wrong in (0, 11, "many", 1.5):
        with pytest.raises(Refused, match="by") as refused:
            await ann.call("increment", wrong)
        assert refused.value.code == "arguments"
    assert await bo.call("increment") == {"count": 12, "added": 11}


async def test_two_browsers_a_reload_and_a_latecomer(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("counter", players=2)
    ann, bo = [await visit(link) for link in server.players]
    await ann.get_by_role("button", name="Add 10").click()
    await expect(ann.locator("#count")).to_have_text("10")
    await expect(ann.locator("#news")).to_have_text("You have added 10.")
    await expect(bo.locator("#count")).to_have_text("10")
    await expect(bo.locator("#news")).to_have_text("Somebody added 10.")
    await bo.get_by_role("button", name="Add 5").click()
    await expect(ann.locator("#count")).to_have_text("15")
    await ann.reload()
    await expect(ann.locator("#count")).to_have_text("15")
    await expect(ann.locator("#news")).to_have_text("You have added 10.")

    late = await visit(server.join)
    await looks_right(late, axe)
    await late.get_by_role("button", name="Join").click()
    await expect(late.locator("#count")).to_have_text("15")
    await late.get_by_role("button", name="Add 1", exact=True).click()
    await expect(ann.locator("#count")).to_have_text("16")
    await looks_right(ann, axe)

    await bo.get_by_role("button", name="Finish").click()
    await expect(bo.get_by_role("heading")).to_have_text("Thank you")
    await looks_right(bo, axe)


async def test_evidence_1_the_count_survives_kill_9(serve: Serve, visit: Visit) -> None:
    server = serve("counter", players=2)
    ann = await visit(server.players[0])
    await ann.get_by_role("button", name="Add 10").click()
    await expect(ann.locator("#count")).to_have_text("10")
    await ann.goto("about:blank")  # whose console would complain of the lost connection, as it should
    server.kill_and_restart()
    await ann.goto(server.players[0])
    await expect(ann.locator("#count")).to_have_text("10")
    await ann.get_by_role("button", name="Add 5").click()
    await expect(ann.locator("#count")).to_have_text("15")
