"""Pages and joins over connections that are kept, next to the bare server's GET.

A page is that of a participant who has joined; a join is the POST of the session link by a new visitor.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from tests.bench.closed_loop import closed_loop
from tests.bench.figures import Figure, Pair, Run, compared
from tests.bench.keep_alive import Answer, KeepAlive, connect_http, get_request, post_request
from tests.bench.servers import Product, Server
from tests.bench.workbench import Workbench, discard

PART = "requests"


class Requesting:
    """A connection that sends what `request` makes and expects `status`."""

    def __init__(self, connection: KeepAlive, request: Callable[[], bytes], status: int = 200) -> None:
        self._connection = connection
        self._request = request
        self._status = b"HTTP/1.1 %d " % status
        self._then: Callable[[bool], None] = lambda expected: None

    def ask(self, then: Callable[[bool], None]) -> None:
        self._then = then
        self._connection.ask(self._request(), self._answered)

    def _answered(self, answer: Answer) -> None:
        self._then(answer.head.startswith(self._status))


async def measure(bench: Workbench) -> list[Figure]:
    bench.say("pages and joins")
    scale = bench.scale
    port = bench.bare.port
    bare = [Requesting(line, _always(get_request(port, "/"))) for line in await _lines(bench, bench.bare)]
    kinds: dict[str, list[Pair]] = {"pages": [], "uncompressed pages": [], "joins": []}
    with bench.product(scale.http_connections) as product, bench.product(0) as open_product:
        lines = await _lines(bench, product)
        pages = _pages(product, lines, compressed=True)
        plain = _pages(product, lines, compressed=False)
        joins = _joins(open_product, await _lines(bench, open_product))
        for number in range(scale.http_rounds + 1):
            seconds = scale.http_seconds
            bare_run = await closed_loop(bare, bench.bare, seconds=seconds)
            runs = {
                "pages": await closed_loop(pages, product, seconds=seconds),
                "uncompressed pages": await closed_loop(plain, product, seconds=seconds),
                "joins": await closed_loop(joins, open_product, answers=scale.joins),
            }
            for kind, run in runs.items():
                if number:  # the first is for warming up
                    kinds[kind].append(Pair(run, bare_run))
    discard(product.database)
    discard(open_product.database)
    targets = {"pages": "≥ 12 % of bare GET", "joins": "≥ 4 % of bare GET"}
    figures: list[Figure] = []
    for kind, pairs in kinds.items():
        per_cpu = f"{kind} per server CPU second"
        figures += [
            compared(PART, per_cpu, "1/s", pairs, _per_cpu, target=targets.get(kind, "")),
            compared(PART, f"{kind} per second", "1/s", pairs, lambda run: run.rate),
            compared(PART, f"{kind}: latency p50", "ms", pairs, lambda run: run.p50, scale=1e3),
        ]
    return figures


def _per_cpu(run: Run) -> float:
    return run.per_cpu


async def _lines(bench: Workbench, server: Server) -> list[KeepAlive]:
    return [await connect_http(server.port) for _ in range(bench.scale.http_connections)]


def _pages(product: Product, lines: Sequence[KeepAlive], *, compressed: bool) -> list[Requesting]:
    """Each connection loads the page of a participant of its own."""
    return [
        Requesting(line, _always(get_request(product.port, path, compressed=compressed)))
        for line, path in zip(lines, product.players, strict=True)
    ]


def _joins(product: Product, lines: Sequence[KeepAlive]) -> list[Requesting]:
    def request() -> bytes:
        return post_request(product.port, product.join, f"key={secrets.token_hex(13)}")

    return [Requesting(line, request, 303) for line in lines]


def _always(request: bytes) -> Callable[[], bytes]:
    return lambda: request
