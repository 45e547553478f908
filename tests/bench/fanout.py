"""One notify to everybody in a session, next to a bare broadcast (encoded once, sent in turn to every connection).

The next one begins when the last recipient has the one before and its sender the reply.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tests.bench.closed_loop import Meter
from tests.bench.figures import Figure, Pair, Run, compared
from tests.bench.participants import Participant, join_all
from tests.bench.servers import Server
from tests.bench.wire import Socket, connect
from tests.bench.workbench import Workbench, discard

PART = "fanout"
_TEXT = b"xxxxxxxxxxxxxxxxxxxx"
_FRAME = b'{"seq":%d,"messages":[{"type":"event","name":"Told","data":"' + _TEXT + b'"}]}'
_PATIENCE = 60.0  # seconds for one message to reach everybody


class Receipts:
    """Counts recipients of the message that is under way."""

    def __init__(self, recipients: int) -> None:
        self.recipients = recipients
        self._left = 0
        self._done: asyncio.Future[float] | None = None

    def expect(self) -> asyncio.Future[float]:
        """A future of the time at which the last recipient has it."""
        self._left = self.recipients
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def received(self, text: bytes) -> None:
        self._left -= 1
        if not self._left and self._done is not None:
            self._done.set_result(time.perf_counter())


async def measure(bench: Workbench) -> list[Figure]:
    figures: list[Figure] = []
    for recipients in bench.scale.recipients:
        bench.say(f"fan-out to {recipients}")
        with bench.product(recipients) as product:
            participants = await join_all(product.port, product.players)
            told, receipts = _telling(participants)
            receipts_bare = Receipts(recipients)
            sockets = [await connect(bench.bare.port, "/broadcast", receipts_bare.received) for _ in range(recipients)]
            pairs: list[Pair] = []
            messages = max(2, bench.scale.deliveries // recipients)
            for number in range(bench.scale.fanout_rounds + 1):
                bare = await _rounds(_broadcasting(sockets), receipts_bare, bench.bare, messages)
                pair = Pair(await _rounds(told, receipts, product, messages), bare)
                if number:  # the first is for warming up
                    pairs.append(pair)
            for socket in sockets:
                await socket.close()
        discard(product.database)
        figures += _figures(recipients, pairs, recipients == bench.scale.recipients[-1])
    return figures


def _figures(recipients: int, pairs: Sequence[Pair], largest: bool) -> list[Figure]:
    who = f"to {recipients:,}"
    enough, soon = ("≥ 80 % of bare", "≤ 140 % of bare") if largest else ("", "")
    per_cpu = f"{who}: deliveries per server CPU second"
    return [
        compared(PART, per_cpu, "1/s", pairs, lambda run: run.per_cpu, target=enough),
        compared(PART, f"{who}: deliveries per second", "1/s", pairs, lambda run: run.rate),
        compared(PART, f"{who}: call to last receipt p50", "ms", pairs, lambda run: run.p50, scale=1e3, target=soon),
        compared(PART, f"{who}: call to last receipt p99", "ms", pairs, lambda run: run.p99, scale=1e3),
    ]


def _telling(participants: Sequence[Participant]) -> tuple[Callable[[], Awaitable[object]], Receipts]:
    receipts = Receipts(len(participants))
    for participant in participants:
        participant.on_event = receipts.received
    arguments = b'["' + _TEXT + b'"]'

    def tell() -> Awaitable[object]:
        return asyncio.ensure_future(participants[0].asked(b"tell", arguments))

    return tell, receipts


def _broadcasting(sockets: Sequence[Socket]) -> Callable[[], Awaitable[object]]:
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    answered.set_result(None)

    def broadcast() -> Awaitable[object]:
        sockets[0].send(_FRAME % 123)
        return answered

    return broadcast


async def _rounds(say: Callable[[], Awaitable[object]], receipts: Receipts, server: Server, messages: int) -> Run:
    taken: list[float] = []
    meter = Meter(server)
    for _ in range(messages):
        last = receipts.expect()
        began = time.perf_counter()
        answer = say()
        async with asyncio.timeout(_PATIENCE):
            taken.append(await last - began)
            await answer
    return meter.run(receipts.recipients * messages, taken)
