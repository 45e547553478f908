"""Headers, where a request comes from, and how large it may be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.datastructures import Headers

from promptgrimoire.settings import Limits, Settings
from promptgrimoire.web.security import may_connect, may_post
from tests.web.conftest import Open
from tests.web.fakes import FakeGateway


async def test_every_answer_carries_the_headers(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    host = await gateway.create_session("counter", players=1)
    for address in ("/", f"/s/{host.id}/", f"/p/{host.lines[0].token}/", "/nowhere", "/static/x/y", "/favicon.ico"):
        headers = (await client.get(address)).headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert "script-src 'self' 'unsafe-inline'" in headers["content-security-policy"]
        assert "payment=()" in headers["permissions-policy"]


async def test_the_content_policy_can_be_replaced(browser: Open) -> None:
    answer = await browser(Settings(content_policy="default-src 'none'")).get("/")
    assert answer.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    ("headers", "fine"),
    [
        ({"origin": "http://lab.test"}, True),
        ({"origin": "https://lab.test"}, True),  # a proxy ends TLS
        ({"origin": "http://LAB.test:80"}, True),
        ({"origin": "https://lab.test:443"}, True),
        ({"origin": "https://study.example"}, True),  # configured
        ({"origin": "http://evil.test"}, False),
        ({"origin": "http://lab.test.evil.test"}, False),
        ({"origin": "http://lab.test:81"}, False),
        ({"origin": "http://ab.test"}, False),
        ({"origin": "http://lab.test@evil.test"}, False),
        ({"origin": "file://lab.test"}, False),
        ({"origin": "http://evil.test", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "http://lab.test", "sec-fetch-site": "cross-site"}, True),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, True),  # our own form under no-referrer
        ({"origin": "null", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "null", "sec-fetch-site": "same-site"}, False),
        ({"origin": "null"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({}, True),
    ],
)
def test_where_a_form_comes_from(headers: dict[str, str], fine: bool) -> None:
    assert may_post(Headers({"host": "lab.test", **headers}), ("https://study.example/",)) is fine


@pytest.mark.parametrize(
    ("origin", "fine"), [("http://lab.test:8000", True), ("http://evil.test", False), ("null", False), (None, True)]
)
def test_where_a_socket_comes_from(origin: str | None, fine: bool) -> None:
    headers = {"host": "lab.test:8000"} | ({"origin": origin} if origin else {})
    assert may_connect(Headers(headers)) is fine


async def test_another_website_cannot_post(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    host = await gateway.create_session("counter", players=1)
    token = host.lines[0].token
    admin = gateway.admin_token(host.id)
    for address in (f"/s/{host.id}/", f"/p/{token}/", "/start/counter", f"/admin/{admin}/multiview"):
        answer = await client.post(address, headers={"origin": "http://evil.test"}, data={"_stay": "1"})
        assert answer.status_code == 403
        assert "another website" in answer.text
    assert len(host.lines) == 1
    assert host.submissions == []
    assert len(gateway.hosts) == 1


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused_with_a_page(
    browser: Open, gateway: FakeGateway, declared: bool
) -> None:
    host = await gateway.create_session("counter", players=1)
    client = browser(Settings(limits=Limits(form=1000)))
    body = b"_stay=1&_submission=a&x=" + b"y" * 2000

    async def pieces() -> AsyncIterator[bytes]:  # without a Content-Length
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    answer = await client.post(
        f"/p/{host.lines[0].token}/",
        content=body if declared else pieces(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413
    assert "larger than this server accepts" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert host.submissions == []
