"""What the server gives a document that connects: neither too much nor too little.

Browsers skip what they have had and ask again for what they miss, so that mistakes here go unnoticed elsewhere.
"""

from __future__ import annotations

import asyncio

from tests.engine.conftest import Serve
from tests.engine.stage import settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def tell(page, player, text: str, keep: bool = False):
        ran.append(text)
        send_to(player.session, text, keep=keep)
        return text

class Two(Page):
    """# Two"""

page_order = [Lab, Two]
'''


async def test_a_welcome_tells_nothing_that_is_not_durable_yet(serve: Serve) -> None:
    """Something is committed while the hello waits for the disk, and reaches it only with the next commit."""
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    two.lose()
    server.journal.hold()
    one.invoke("tell", "first")
    host = await server.host()
    first = host.chain.seq
    connecting = asyncio.ensure_future(two.connect())
    await settle()
    one.invoke("tell", "second")
    host.stored(first)
    await connecting
    assert two.events == ["first"]
    server.journal.release()
    await settle()
    assert two.events == ["first", "second"]


async def test_a_kept_event_that_hello_names_as_handled_is_not_sent_again(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("tell", "offer", True)
    assert one.owed  # the acknowledgement is lost
    one.lose()
    one.texts.clear()
    await one.connect()
    await settle()
    assert not any("offer" in text for text in one.texts)
    host = await server.host()
    await host.durable()
    assert not host.deliveries.of(1).kept  # and counts as handled from now on
    assert not (await server.restart()).deliveries.of(1).kept


async def test_a_welcome_settles_what_it_can_before_anything_is_sent_again(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("tell", "once")
    one.lose()  # before it is durable, and so before it is answered
    await settle()
    await one.connect(resend=False)
    assert one.settled == {n: "once"}
    assert server.module.ran == ["once"]


async def test_a_document_whose_page_is_over_is_told_to_load_the_next(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose()
    await server.submit()
    await one.connect()
    assert one.reloads == 1
    assert one.events == []
    await server.restart()
    await one.connect()
    assert one.reloads == 2
