"""Resident memory per participant: joined, page loaded, connected; and per connection of the bare server.

One participant goes through everything first, so that what is loaded once does not count.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from tests.bench.calls import echoes
from tests.bench.figures import Figure, beside, single
from tests.bench.keep_alive import exchange, post_request
from tests.bench.participants import Participant, load_page
from tests.bench.servers import Bare, Product, Server
from tests.bench.workbench import Workbench, discard

PART = "memory"
_TARGET = "≤ 45 kB"
_PATIENCE = 10.0  # seconds


async def measure(bench: Workbench) -> list[Figure]:
    count = bench.scale.connections
    settled = bench.scale.memory_settled
    bench.say(f"memory of {count} participants")
    bare = await _bare(bench, count)
    with bench.product(0) as product:
        await _connected(product, await _joined(product))
        start = await _resident(product, settled)
        paths = [await _joined(product) for _ in range(count)]
        joined = await _resident(product, settled)
        pages = [(path, await load_page(product.port, path)) for path in paths]
        loaded = await _resident(product, settled)
        participants = [Participant(product.port, page) for _, page in pages]
        for number, participant in enumerate(participants):
            await participant.open(f"memory{number}")
        connected = await _resident(product, settled)
        for participant in participants:
            await participant.asked(b"put", b"[1]")
        called = await _resident(product, settled)
    discard(product.database)
    each = 1000 * count
    return [
        beside(PART, "joined, page loaded and connected", "kB", (connected - start) / each, bare, target=_TARGET),
        beside(PART, "page loaded and connected, players there", "kB", (connected - joined) / each, bare),
        single(PART, "of these: joining", "kB", [(joined - start) / each]),
        single(PART, "of these: the page", "kB", [(loaded - joined) / each]),
        beside(PART, "of these: the connection", "kB", (connected - loaded) / each, bare),
        beside(PART, "all of these, and one call each", "kB", (called - start) / each, bare),
    ]


async def _joined(product: Product) -> str:
    """POST of the session link; returns the path of the player link."""
    form = f"key={secrets.token_hex(13)}"
    answer = await exchange(product.port, post_request(product.port, product.join, form))
    if not answer.location:
        raise RuntimeError(f"expected to be led to the player's page, found {answer.head!r}")
    return answer.location


async def _connected(product: Product, path: str) -> None:
    participant = Participant(product.port, await load_page(product.port, path))
    await participant.open("warming-up")
    await participant.asked(b"put", b"[1]")
    await participant.socket.close()


async def _bare(bench: Workbench, count: int) -> float:
    """kB of the bare server per connection."""
    settled = bench.scale.memory_settled
    with Bare() as bare:  # a fresh one: what earlier connections have left would be used again
        for warming in await echoes(bare.port, 1):
            await warming.socket.close()
        before = await _resident(bare, settled)
        await echoes(bare.port, count)
        after = await _resident(bare, settled)
    return max(after - before, 1) / 1000 / count


async def _resident(server: Server, settled: float) -> int:
    """Bytes, once the server has finished what it does in the background: nothing has changed for `settled` seconds."""
    began = since = time.monotonic()
    found = server.resident()
    while (now := time.monotonic()) - since < settled and now - began < _PATIENCE:
        await asyncio.sleep(settled / 10)
        if server.resident() != found:
            found, since = server.resident(), time.monotonic()
    return found
