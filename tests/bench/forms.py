"""Forms: a page with five fields rendered, its durable submission, and a crowd that thinks between pages.

Owns what participants fill in. A submission is the POST that is answered with a redirect once it is on disk; the page
after it is a request of its own. The crowd asks at the pace of people, both servers at the same number of requests per
second.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.closed_loop import Meter, closed_loop
from tests.bench.figures import Figure, Pair, Run, compared
from tests.bench.keep_alive import Answer, KeepAlive, connect_http, fetch, get_request, post_request
from tests.bench.requests import Requesting
from tests.bench.servers import Product, Server
from tests.bench.workbench import Workbench, discard

PART = "forms"
APP = Path(__file__).parent / "form_app"
_FILLED = "years=34&town=Trondheim&often=weekly&agree=4&why=It+is+quiet.&_touched=years,town,often,agree,why"
_STAY = re.compile(rb'name="_stay" value="(\d+)"')
_THINKING = 1.0  # seconds


class Filling:
    """A participant who posts the form again and again, each time of the next stay."""

    def __init__(self, connection: KeepAlive, port: int, path: str, stay: int) -> None:
        self.connection = connection
        self._port = port
        self.path = path
        self.stay = stay
        self._then: Callable[[bool], None] = lambda expected: None

    def ask(self, then: Callable[[bool], None]) -> None:
        self._then = then
        self.connection.ask(self.request(), self._answered)

    def request(self) -> bytes:
        form = f"_stay={self.stay}&_submission=bench{self.stay}&{_FILLED}"
        return post_request(self._port, self.path, form)

    def _answered(self, answer: Answer) -> None:
        self.stay += 1
        self._then(answer.head.startswith(b"HTTP/1.1 303 "))


async def measure(bench: Workbench) -> list[Figure]:
    bench.say("forms: pages and submissions")
    scale = bench.scale
    bare_request = get_request(bench.bare.port, "/")
    bare = [
        Requesting(await connect_http(bench.bare.port), lambda: bare_request) for _ in range(scale.http_connections)
    ]
    pages: list[Pair] = []
    submissions: list[Pair] = []
    with bench.product(scale.http_connections, APP) as product:
        reading = [Requesting(await connect_http(product.port), _get(product.port, path)) for path in product.players]
        filling = [await _filling(product, path) for path in product.players]
        for number in range(scale.http_rounds + 1):
            bare_run = await closed_loop(bare, bench.bare, seconds=scale.http_seconds)
            read = await closed_loop(reading, product, seconds=scale.http_seconds)
            filled = await closed_loop(filling, product, seconds=scale.http_seconds)
            if number:  # the first is for warming up
                pages.append(Pair(read, bare_run))
                submissions.append(Pair(filled, bare_run))
        for one in filling:
            await _check(product, one)
    discard(product.database)
    return [
        *_figures("pages with five fields", pages, "≥ 10 % of bare GET"),
        *_figures("durable submissions", submissions, "≥ 5 % of bare GET"),
        *await _thinking(bench),
    ]


def _figures(kind: str, pairs: list[Pair], target: str) -> list[Figure]:
    return [
        compared(PART, f"{kind} per server CPU second", "1/s", pairs, lambda run: run.per_cpu, target=target),
        compared(PART, f"{kind} per second", "1/s", pairs, lambda run: run.rate),
        compared(PART, f"{kind}: latency p50", "ms", pairs, lambda run: run.p50, scale=1e3),
    ]


def _get(port: int, path: str) -> Callable[[], bytes]:
    request = get_request(port, path)
    return lambda: request


async def _filling(product: Product, path: str) -> Filling:
    return Filling(await connect_http(product.port), product.port, path, await _stay(product, path))


async def _stay(product: Product, path: str) -> int:
    """The stay of the page that a participant is shown."""
    answer = await fetch(product.port, path)
    found = _STAY.search(answer.content)
    if found is None:
        raise RuntimeError(f"expected a page with a form, found {answer.status}")
    return int(found[1])


async def _check(product: Product, one: Filling) -> None:
    """Each submission has led to the next stay: none was a repetition that changes nothing."""
    stay = await _stay(product, one.path)
    if stay != one.stay:
        raise RuntimeError(
            f"expected everything to be submitted up to stay {one.stay}, found the participant at {stay}"
        )


# -------------------------------------------------------------------- people who think


class _Thinker:
    """Loads a page, thinks, posts it, and so on; or, of the bare server, loads its page at the same pace."""

    def __init__(self, connection: KeepAlive, steps: list[Callable[[], bytes]], crowd: _Crowd) -> None:
        self._connection = connection
        self._steps = steps  # of which the last is followed by thinking
        self._crowd = crowd
        self._step = 0
        self._sent = 0.0

    def begin(self) -> None:
        """The next request."""
        if self._crowd.over:
            self._crowd.left(self)
            return
        self._sent = time.perf_counter()
        self._connection.ask(self._steps[self._step](), self._answered)

    def _answered(self, answer: Answer) -> None:
        self._crowd.latencies.append(time.perf_counter() - self._sent)
        if answer.status not in (200, 303):
            self._crowd.fail(f"expected a page or a redirect, found {answer.status}")
            return
        self._step = (self._step + 1) % len(self._steps)
        if self._step:
            self.begin()
        else:
            asyncio.get_running_loop().call_later(_THINKING, self.begin)


class _Crowd:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.over = False
        self._active: set[_Thinker] = set()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def left(self, thinker: _Thinker) -> None:
        self._active.discard(thinker)
        if not self._active and not self._done.done():
            self._done.set_result(None)

    def fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))

    async def play(self, thinkers: list[_Thinker], server: Server, seconds: float) -> Run:
        """Everybody comes within the first second of thinking; what is measured begins after it."""
        loop = asyncio.get_running_loop()
        self._active = set(thinkers)
        rng = random.Random(len(thinkers))
        for thinker in thinkers:
            loop.call_later(rng.uniform(0, _THINKING), thinker.begin)
        await asyncio.sleep(_THINKING)
        self.latencies = []
        meter = Meter(server)
        await asyncio.sleep(seconds)
        run = meter.run(len(self.latencies), list(self.latencies))
        self.over = True
        async with asyncio.timeout(30):
            await self._done
        return run


async def _thinking(bench: Workbench) -> list[Figure]:
    bench.say(f"forms: {bench.scale.thinkers} participants who think for a second")
    scale = bench.scale
    pairs: list[Pair] = []
    with bench.product(scale.thinkers, APP) as product:
        stays = {path: await _stay(product, path) for path in product.players}
        bare_request = get_request(bench.bare.port, "/")
        for number in range(scale.thinking_rounds + 1):
            # New connections each time: who has nothing to say for five seconds is hung up on.
            crowd = _Crowd()
            alike = [
                _Thinker(await connect_http(bench.bare.port), [lambda: bare_request] * 2, crowd)
                for _ in product.players
            ]
            bare_run = await crowd.play(alike, bench.bare, scale.thinking_seconds)
            crowd = _Crowd()
            people = []
            filling = []
            for path in product.players:
                one = Filling(await connect_http(product.port), product.port, path, stays[path])
                filling.append(one)
                people.append(_Thinker(one.connection, [_posting(one), _get(product.port, path)], crowd))
            run = await crowd.play(people, product, scale.thinking_seconds)
            stays = {one.path: one.stay for one in filling}
            if number:
                pairs.append(Pair(run, bare_run))
        for one in filling:
            await _check(product, one)
    discard(product.database)
    name = f"{scale.thinkers} thinking"
    return [
        compared(PART, f"{name}: latency p99", "ms", pairs, lambda run: run.p99, scale=1e3, target="≤ 3 times bare"),
        compared(PART, f"{name}: latency p50", "ms", pairs, lambda run: run.p50, scale=1e3),
        compared(PART, f"{name}: requests per second", "1/s", pairs, lambda run: run.rate),
        compared(
            PART, f"{name}: share of the server's core", "%", pairs, lambda run: run.server_cpu / run.seconds, scale=1e2
        ),
    ]


def _posting(one: Filling) -> Callable[[], bytes]:
    def request() -> bytes:
        made = one.request()
        one.stay += 1
        return made

    return request
