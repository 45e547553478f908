"""What happens in the pictures of the games: the moves before `screenshots.py` photographs two participants.

Each takes the pages of as many participants as the game needs, and leaves in front those that the picture shows.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from playwright.async_api import Page, expect

Pages = list[Page]


class Play(NamedTuple):
    """`players` are there; the pages of the first two are photographed after `moves`."""

    players: int
    moves: Callable[[Pages], Awaitable[None]]


async def next_page(page: Page, heading: str = "") -> None:
    """Press the button that leads on; with a heading, until it is there."""
    await page.locator("#grimoire-button-next").click()
    if heading:
        await comes(page, heading)


async def comes(page: Page, heading: str) -> None:
    """Wait until the page has this heading, or one that holds it."""
    await expect(page.get_by_role("heading", level=1)).to_contain_text(heading, timeout=10_000)


async def _to_front(pages: Pages, words: str) -> None:
    """Those whose headings hold these words come first; the order is kept otherwise."""
    found = [(await page.get_by_role("heading", level=1, name=words).count(), page) for page in pages]
    pages[:] = [page for count, page in found if count] + [page for count, page in found if not count]


async def _prisoners_dilemma(pages: Pages) -> None:
    for page in pages:
        await comes(page, "Your decision")
    await pages[0].get_by_label("I cooperate").check()
    await pages[1].get_by_label("I defect").check()
    await next_page(pages[1], "Please wait")


async def _public_goods(pages: Pages) -> None:
    for page in pages:
        await page.get_by_label("Everybody has 30").check()
        await next_page(page)
    for page, points in zip(pages, ("12", "20", "5"), strict=True):
        await comes(page, "Your contribution")
        await page.get_by_label("How many points").fill(points)
    for page in pages[1:]:
        await next_page(page, "Please wait")
    await pages[1].get_by_text("2 of 3").wait_for()


async def _ultimatum(pages: Pages) -> None:
    for page in pages:
        await comes(page, "You are the")
    await _to_front(pages, "proposer")
    proposer, responder = pages
    await next_page(proposer)
    await next_page(responder)
    await proposer.get_by_label("How much").fill("3")
    await next_page(proposer)
    await comes(responder, "You are offered")


async def _trust_game(pages: Pages) -> None:
    for page in pages:
        await comes(page, "sender")
    await _to_front(pages, "You are the sender")
    sender, receiver = pages
    await sender.get_by_label("How many points do you send?").fill("6")
    await sender.get_by_label("How many points will come back").fill("9")
    await next_page(sender)
    await comes(receiver, "You have received")
    await receiver.get_by_label("How many").fill("8")


async def _dictator(pages: Pages) -> None:
    await pages[1].get_by_label("How much").fill("4.5")
    await next_page(pages[1], "Thank you")


async def _beauty_contest(pages: Pages) -> None:
    for page in pages:
        await next_page(page)
    for page, guess in zip(pages, ("22", "35", "50", "18", "67", "31", "80", "44"), strict=True):
        await page.get_by_label("Your guess").fill(guess)
        await next_page(page)
    await comes(pages[0], "You have")
    await next_page(pages[1], "Round 2")
    await pages[1].get_by_label("Your guess").fill("15")
    await next_page(pages[1], "Please wait")
    await pages[1].get_by_text("1 of 8").wait_for()


async def _repeated_dilemma(pages: Pages) -> None:
    """Until a third round, which more than half of the pairs reach: one of six does, as good as always."""
    for page in pages:
        await next_page(page)
    for number, choices in enumerate((("I cooperate", "I cooperate"), ("I cooperate", "I defect")), 1):
        for place, page in enumerate(pages):
            heading = page.get_by_role("heading", level=1)
            await expect(heading).to_have_text(re.compile(f"Round {number}|You earn"))
            if "Round" in await heading.inner_text():
                await page.get_by_label(choices[place % 2]).check()
                await next_page(page)
    await pages[0].wait_for_timeout(500)
    await _to_front(pages, "Round 3")


async def _stranger_matching(pages: Pages) -> None:
    for page in pages:
        await next_page(page)
    for place, page in enumerate(pages):
        await comes(page, "Round 1")
        await page.get_by_label("The stag" if place < 3 else "A hare").check()
        await next_page(page)
    for page in pages:
        await comes(page, "points in round 1")
    await next_page(pages[1])
    for page in pages[2:]:
        await next_page(page)
    await pages[1].wait_for_timeout(300)


async def _dropouts(pages: Pages) -> None:
    link = pages[1].url
    for page in pages:
        await next_page(page)
    for page in pages:
        await comes(page, "Your contribution")
    await pages[1].goto("about:blank")
    for page, points in ((pages[0], "15"), (pages[2], "9")):
        await page.get_by_label("How many").fill(points)
        await next_page(page)
    heading = pages[0].get_by_role("heading", level=1)
    await expect(heading).to_have_text("Round 1 of 3", timeout=60_000)  # DROPOUT_TOLERANCE is 20 seconds
    await pages[1].goto(link)


GAMES: dict[str, Play] = {
    "prisoners_dilemma": Play(2, _prisoners_dilemma),
    "public_goods": Play(3, _public_goods),
    "ultimatum": Play(2, _ultimatum),
    "trust_game": Play(2, _trust_game),
    "dictator": Play(2, _dictator),
    "beauty_contest": Play(8, _beauty_contest),
    "repeated_dilemma": Play(12, _repeated_dilemma),
    "stranger_matching": Play(4, _stranger_matching),
    "dropouts": Play(3, _dropouts),
}
