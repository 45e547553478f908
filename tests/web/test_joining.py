"""Joining: only a POST creates a participant, and one person is one participant."""

from __future__ import annotations

import re

import httpx
import pytest

from promptgrimoire.web.participant import COOKIE
from tests.web.conftest import Open
from tests.web.fakes import FakeGateway, FakeHost

pytestmark = pytest.mark.usefixtures("client")


@pytest.fixture
async def host(gateway: FakeGateway) -> FakeHost:
    return await gateway.create_session("counter")


def key_of(html: str) -> str:
    found = re.search(r'name="key" value="([a-z0-9]{26})"', html)
    assert found
    return found[1]


async def test_evidence_25_previews_and_prefetches_create_nobody(client: httpx.AsyncClient, host: FakeHost) -> None:
    for _ in range(3):
        answer = await client.get(f"/s/{host.id}/", headers={"purpose": "prefetch"})
        assert answer.status_code == 200
        assert "Join" in answer.text
        assert (await client.head(f"/s/{host.id}/")).status_code == 200
    assert host.lines == []


async def test_joining_leads_to_the_page(client: httpx.AsyncClient, host: FakeHost) -> None:
    await client.get(f"/s/{host.id}/")
    answer = await client.post(f"/s/{host.id}/")
    assert answer.status_code == 303
    (line,) = host.lines
    assert answer.headers["location"] == f"/p/{line.token}/"
    page = await client.get(answer.headers["location"])
    assert "Page of player1" in page.text


async def test_evidence_25_one_person_holds_one_place(client: httpx.AsyncClient, host: FakeHost) -> None:
    await client.get(f"/s/{host.id}/")
    first = await client.post(f"/s/{host.id}/")
    again = await client.post(f"/s/{host.id}/")
    assert first.headers["location"] == again.headers["location"]
    assert len(host.lines) == 1


async def test_a_double_click_without_cookies_makes_one_player(browser: Open, host: FakeHost) -> None:
    key = key_of((await browser().get(f"/s/{host.id}/")).text)
    places = {(await browser().post(f"/s/{host.id}/", data={"key": key})).headers["location"] for _ in range(2)}
    assert len(places) == 1
    assert len(host.lines) == 1


async def test_two_browsers_are_two_participants(browser: Open, host: FakeHost) -> None:
    for person in (browser(), browser()):
        await person.get(f"/s/{host.id}/")
        await person.post(f"/s/{host.id}/")
    assert len(host.lines) == 2


async def test_a_label_is_one_participant_in_every_browser(browser: Open, host: FakeHost) -> None:
    for person in (browser(), browser()):
        await person.get(f"/s/{host.id}/?label=ann&source=mail")
        await person.post(f"/s/{host.id}/?label=ann&source=mail")
    assert len(host.lines) == 1
    assert host.params == [{"source": "mail"}]


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(browser: Open, host: FakeHost) -> None:
    plain = (await browser().get(f"/s/{host.id}/")).headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[a-z0-9]{{26}};", plain)
    for part in ("HttpOnly", "SameSite=lax", "Max-Age=31536000", "Path=/"):
        assert part in plain
    assert "Secure" not in plain
    assert "Secure" in (await browser(base="https://lab.test").get(f"/s/{host.id}/")).headers["set-cookie"]


async def test_a_cookie_that_is_not_ours_is_replaced(client: httpx.AsyncClient, host: FakeHost) -> None:
    client.cookies.set(COOKIE, "x" * 5000)
    assert "set-cookie" in (await client.get(f"/s/{host.id}/")).headers
    await client.post(f"/s/{host.id}/")
    assert all(len(visitor) == 26 for visitor in host.visitors)


async def test_who_comes_back_goes_on(client: httpx.AsyncClient, gateway: FakeGateway, host: FakeHost) -> None:
    await client.get(f"/s/{host.id}/")
    place = (await client.post(f"/s/{host.id}/")).headers["location"]
    development = await client.get(f"/s/{host.id}/")
    assert f'href="{place}"' in development.text
    gateway.development = False
    production = await client.get(f"/s/{host.id}/")
    assert (production.status_code, production.headers["location"]) == (303, place)


async def test_one_more_participant_in_this_tab(
    client: httpx.AsyncClient, gateway: FakeGateway, host: FakeHost
) -> None:
    key = key_of((await client.get(f"/s/{host.id}/")).text)
    await client.post(f"/s/{host.id}/")
    another = {"another": "1", "key": key}
    first = await client.post(f"/s/{host.id}/", data=another)
    again = await client.post(f"/s/{host.id}/", data=another)
    assert len(host.lines) == 2
    assert first.headers["location"] == again.headers["location"] == f"/p/{host.lines[1].token}/"
    gateway.development = False
    await client.post(f"/s/{host.id}/", data={"another": "1", "key": key_of(f'name="key" value="{"a" * 26}"')})
    assert len(host.lines) == 2
    assert "One more participant" not in (await client.get(f"/s/{host.id}/", follow_redirects=True)).text


async def test_an_unknown_session_is_a_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/s/nowhere/")
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_landing_page_stands_in_for_the_usual_text(
    client: httpx.AsyncClient, gateway: FakeGateway, host: FakeHost
) -> None:
    assert "You are invited" in (await client.get(f"/s/{host.id}/")).text
    gateway.landings["counter"] = "<h1>Consent</h1>"
    html = (await client.get(f"/s/{host.id}/")).text
    assert "<h1>Consent</h1>" in html
    assert "You are invited" not in html
    assert html.count("<h1>") == 1
    assert key_of(html)
    assert host.lines == []
