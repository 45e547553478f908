"""What crosses the wire until a participant sees their first page: requests and bytes, compressed, with headers.

Follows what pages, modules and stylesheets refer to, as a browser does; their tests in Chromium count the same.
"""

from __future__ import annotations

import re
import secrets
from urllib.parse import urljoin, urlsplit

from tests.bench.figures import Figure, single
from tests.bench.keep_alive import Answer, exchange, fetch, post_request
from tests.bench.participants import load_page
from tests.bench.servers import Product
from tests.bench.workbench import Workbench, discard

PART = "first-page"
_OF_PAGES = re.compile(rb'<(?:link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"')
_OF_MODULES = re.compile(rb'\b(?:from|import)\s*\(?\s*"(\.[^"]+)"')
_OF_STYLES = re.compile(rb'(?:url\(|@import\s+)["\']?([^"\')\s]+)')
_HANDSHAKE = 1  # the websocket's request


async def measure(bench: Workbench) -> list[Figure]:
    bench.say("the first page")
    with bench.product(0) as product:
        invitation = await _Loaded(product).page(product.join)
        joined = await exchange(product.port, post_request(product.port, product.join, f"key={secrets.token_hex(13)}"))
        page = await _Loaded(product).page(joined.location)
        await load_page(product.port, joined.location)  # it is one, with the client's configuration
    discard(product.database)
    with_socket = page.requests + _HANDSHAKE
    all_requests = invitation.requests + 1 + with_socket
    everything = invitation.size + joined.size + page.size
    return [
        single(PART, "requests", "", [with_socket], target="≤ 12", note="the websocket among them"),
        single(PART, "on the wire", "kB", [page.size / 1000], target="≤ 40 kB", note="answers with their headers"),
        single(PART, "from the session link: documents", "", [2], target="≤ 2", note="joining leads on without one"),
        single(PART, "from the session link: requests", "", [all_requests]),
        single(PART, "from the session link: on the wire", "kB", [everything / 1000]),
    ]


class _Loaded:
    """A page and all that it refers to, each once."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._seen: set[str] = set()
        self.requests = 0
        self.size = 0

    async def page(self, path: str) -> _Loaded:
        waiting = [path]
        while waiting:
            address = waiting.pop()
            if address in self._seen:
                continue
            self._seen.add(address)
            answer = await fetch(self._product.port, address)
            if answer.status != 200:
                raise RuntimeError(f"{address}: expected 200, found {answer.status}")
            self.requests += 1
            self.size += answer.size
            waiting += [urljoin(address, found) for found in _references(answer) if _fetched(found)]
        return self


def _references(answer: Answer) -> list[str]:
    kind = answer.head.lower().partition(b"\r\ncontent-type:")[2].partition(b"\r\n")[0]
    pattern = _OF_PAGES if b"html" in kind else _OF_MODULES if b"javascript" in kind else _OF_STYLES
    return [found.decode() for found in pattern.findall(answer.content)] if b"json" not in kind else []


def _fetched(reference: str) -> bool:
    return urlsplit(reference).scheme not in ("data", "blob") and not reference.startswith("#")
