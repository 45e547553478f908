"""Callers that ask again as soon as they are answered, for a time or a number of answers.

Owns the clocks: latency of each answer, the server's processor time, how busy the client was.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tests.bench.figures import Run, percentile
from tests.bench.servers import Server

_PATIENCE = 120.0  # seconds for the last answers


class Caller(Protocol):
    """Whoever can ask; calls `then` with whether the answer was the expected one."""

    def ask(self, then: Callable[[bool], None]) -> None: ...


class Meter:
    """Clocks from when it is made until `run`."""

    def __init__(self, server: Server) -> None:
        gc.collect()  # before the clocks run: the client's own pauses are nobody's latency
        self._server = server
        self._own = time.process_time()
        self._cpu = server.cpu()
        self._began = time.perf_counter()

    def run(self, count: int, latencies: Sequence[float]) -> Run:
        seconds = time.perf_counter() - self._began
        cpu = self._server.cpu() - self._cpu
        busy = (time.process_time() - self._own) / seconds
        return Run(count, seconds, cpu, busy, percentile(latencies, 0.5), percentile(latencies, 0.99))


async def closed_loop(
    callers: Sequence[Caller], server: Server, *, seconds: float = 3600.0, answers: int | None = None
) -> Run:
    """All callers at once, until `seconds` are over or so many answers were asked for.

    Raises RuntimeError where one gets another answer than it expects.
    """
    loop = asyncio.get_running_loop()
    whole = _Whole(loop.create_future(), len(callers), answers)
    cycles = [_Cycle(caller, whole) for caller in callers[:answers]]
    whole.active = len(cycles)
    meter = Meter(server)
    for cycle in cycles:
        cycle.begin()
    stopping = loop.call_later(seconds, whole.stop)
    try:
        async with asyncio.timeout(seconds + _PATIENCE):
            await whole.done
    finally:
        stopping.cancel()
    return meter.run(len(whole.latencies), whole.latencies)


class _Whole:
    """What the cycles of one run share."""

    def __init__(self, done: asyncio.Future[None], active: int, answers: int | None) -> None:
        self.done = done
        self.active = active
        self.left = answers if answers is not None else 1 << 60  # answers that may still be asked for
        self.latencies: list[float] = []

    def stop(self) -> None:
        self.left = 0


class _Cycle:
    def __init__(self, caller: Caller, whole: _Whole) -> None:
        self._ask = caller.ask
        self._whole = whole
        self._sent = 0.0

    def begin(self) -> None:
        self._whole.left -= 1
        self._sent = time.perf_counter()
        self._ask(self._answered)

    def _answered(self, expected: bool) -> None:
        now = time.perf_counter()
        whole = self._whole
        whole.latencies.append(now - self._sent)
        if whole.left > 0 and expected:
            whole.left -= 1
            self._sent = now
            self._ask(self._answered)
            return
        whole.active -= 1
        if not expected and not whole.done.done():
            whole.done.set_exception(RuntimeError("a caller was refused, or got another answer than it expects"))
        elif not whole.active and not whole.done.done():
            whole.done.set_result(None)
