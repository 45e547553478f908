"""The market, traded: one book for all, private accounts, and an order of events that survives reloads and crashes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.examples.conftest import Enter, Serve, Visit
from tests.examples.stage import Participant, Refused, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def offers(book: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(offer["role"], offer["price"]) for offer in book]


def unit(trader: Participant) -> int:
    value: int = trader.vars["account"]["unit"]
    return value


async def book_comes(trader: Participant, *expected: tuple[str, int]) -> list[dict[str, Any]]:
    """Wait until the book holds these offers; gives it whole."""
    while True:
        book: list[dict[str, Any]] = await trader.event("Book")
        if offers(book) == list(expected):
            return book


async def test_over_the_protocol(serve: Serve, enter: Enter) -> None:
    server = serve("market", players=4)
    buyer, seller, other_buyer, other_seller = [await enter(link) for link in server.players]
    value, cost = unit(buyer), unit(seller)

    await buyer.call("post_offer", 30)
    await buyer.call("post_offer", 40)
    await other_buyer.call("post_offer", 41)
    await book_comes(other_buyer, ("buyer", 40), ("buyer", 41))  # one offer per trader: 40 has replaced 30
    await seller.call("post_offer", 120)
    book = await book_comes(seller, ("buyer", 40), ("buyer", 41), ("seller", 120))

    for trader, price in ((buyer, value + 1), (seller, cost - 1)):
        with pytest.raises(Refused, match="you would lose money"):
            await trader.call("post_offer", price)
    for wrong in (0, 1000, 50.5, "much"):
        with pytest.raises(Refused, match="price") as refused:
            await buyer.call("post_offer", wrong)
        assert refused.value.code == "arguments"
    with pytest.raises(Refused, match="You are a buyer yourself"):
        await buyer.call("accept_offer", book[1]["number"])
    with pytest.raises(Refused, match="this offer is gone"):
        await seller.call("accept_offer", 99)

    # A bid that meets an ask trades at once, at the price of who was there first.
    price = 50
    await seller.call("post_offer", price)
    await book_comes(buyer, ("buyer", 40), ("buyer", 41), ("seller", price))
    assert await buyer.call("post_offer", 60) == {"traded_at": price}
    assert [name for name, _ in buyer.events] == ["Account", "Trade", "Book"], "all of it before the reply"
    assert (await buyer.event("Account"))["profit"] == value - price
    assert (await seller.event("Account"))["profit"] == price - cost
    assert await seller.event("OfferAccepted") == price
    assert await other_seller.event("Trade") == price
    await book_comes(other_seller, ("buyer", 41))  # both have left it
    assert "Account" not in [name for name, _ in other_seller.events], "somebody else's profit was shown"

    late = await enter(server.players[3])
    assert offers(late.vars["book"]) == [("buyer", 41)]
    assert late.vars["prices"] == [price]
    await other_buyer.call("withdraw_offer")
    await book_comes(late)


async def test_evidence_4_of_two_who_accept_at_once_one_is_second(serve: Serve, enter: Enter) -> None:
    server = serve("market", players=4)
    buyer, seller, _, other_seller = [await enter(link) for link in server.players]
    await buyer.call("post_offer", 60)
    number = (await seller.event("Book"))[0]["number"]
    calls = (one.call("accept_offer", number) for one in (seller, other_seller))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(map(str, outcomes)) == ["Somebody was faster: this offer is gone.", "{'traded_at': 60}"]
    assert await buyer.event("Trade") == 60


async def test_nothing_is_lost_or_made_among_many(serve: Serve, enter: Enter) -> None:
    """A hundred random orders of eight traders: units, money and the views of all agree."""
    server = serve("market", players=8)
    traders = [await enter(link) for link in server.players]
    rng = random.Random(1)
    for _ in range(100):
        trader = rng.choice(traders)
        with contextlib.suppress(Refused):  # a loss, or all units traded
            await trader.call("post_offer", rng.randint(40, 120))
    again = [await enter(link) for link in server.players]
    trades = len(again[0].vars["prices"])
    assert trades > 4
    for buys in (True, False):
        side = again[0::2] if buys else again[1::2]
        assert sum(4 - trader.vars["account"]["left"] for trader in side) == trades
        assert all(trader.vars["account"]["profit"] >= 0 for trader in side)
    bids = [price for role, price in offers(again[0].vars["book"]) if role == "buyer"]
    asks = [price for role, price in offers(again[0].vars["book"]) if role == "seller"]
    assert max(bids, default=0) < min(asks, default=1000), "offers that meet have traded"
    for trader, now in zip(traders, again, strict=True):
        seen = trader.vars["prices"]
        while len(seen) < trades:
            seen.append(await trader.event("Trade"))
        assert seen == now.vars["prices"]


async def expect_rows(page: Page, role: str, *expected: str) -> None:
    await expect(page.locator(f"#{role} tr")).to_have_text([re.compile(rf"^\s*{row}\s*$") for row in expected])


async def offer(page: Page, price: int) -> None:
    await page.locator("#price").fill(str(price))
    await page.locator("#price").press("Enter")


async def test_browsers_a_reload_a_crash_and_a_latecomer(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve("market", players=3)
    buyer, seller, other = [await visit(link) for link in server.players]
    value, cost = [int(await page.locator("#unit").inner_text()) for page in (buyer, seller)]
    await expect(buyer.get_by_role("heading", level=1)).to_have_text("You are a buyer")
    await offer(buyer, 45)
    await expect(seller.get_by_role("button", name="Accept 45")).to_be_visible()
    await offer(other, 42)
    await expect_rows(buyer, "buyer", "45Withdraw", "42")  # the best on top; nobody accepts offers of their own side
    await offer(seller, 150)
    await expect(buyer.get_by_role("button", name="Accept 150")).to_be_visible()
    await buyer.get_by_role("button", name="Accept 150").click()
    await expect(buyer.locator("#message")).to_have_text(
        f"The unit is worth {value} to you: at 150 you would lose money."
    )
    for page in (buyer, seller):
        await looks_right(page, axe)

    for page in (buyer, seller, other):
        await page.goto("about:blank")  # whose consoles would complain of lost connections, as they should
    server.kill_and_restart()
    for page, link in zip((buyer, seller, other), server.players, strict=True):
        await page.goto(link)
    await expect_rows(other, "buyer", "45", "42Withdraw")
    await expect_rows(other, "seller", "150Accept")

    price = 70
    await offer(seller, price)
    accept = buyer.get_by_role("button", name=f"Accept {price}")
    await expect(accept).to_be_visible()
    await seller.goto("about:blank")  # away while the offer is accepted
    await accept.click()
    await expect(buyer.locator("#message")).to_have_text(f"You have traded at {price}.")
    await expect(buyer.locator("#profit")).to_have_text(str(value - price))
    await expect(buyer.locator("#left")).to_have_text("3")
    await seller.goto(server.players[1])
    await expect(seller.locator("#message")).to_have_text(f"Your offer was accepted at {price}.")
    await expect(seller.locator("#profit")).to_have_text(str(price - cost))

    late = await visit(server.join)
    await late.get_by_role("button", name="Join").click()
    await expect(late.locator("#trades")).to_have_text(str(price))
    await expect_rows(late, "buyer", "42Accept")

    await other.get_by_role("button", name="Leave the market").click()
    await expect(other.get_by_role("heading", level=1)).to_have_text("Your profit: 0")
    await expect(late.locator("#buyer")).to_have_text("none")
    await buyer.get_by_role("button", name="Leave the market").click()
    await expect(buyer.get_by_role("heading", level=1)).to_have_text(f"Your profit: {value - price}")
    await looks_right(buyer, axe)
