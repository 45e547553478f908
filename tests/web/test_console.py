"""Start page, a session's overview and the multi-view."""

from __future__ import annotations

import re

import httpx
import pytest

from promptgrimoire.errors import JournalUnavailable
from promptgrimoire.settings import Settings
from tests.web.conftest import Open
from tests.web.fakes import FakeExperiment, FakeGateway, FakeHost


async def test_evidence_46_the_start_page_lists_what_works_and_what_does_not(
    client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.experiments.known["market"] = FakeExperiment("market", "Market", "Buy <low>, sell high.")
    gateway.experiments.errors["broken"] = "broken/__init__.py:3: no template Frist.html; did you mean First.html?"
    await gateway.create_session("counter")
    answer = await client.get("/")
    assert answer.status_code == 200
    for text in ("Count together", "Buy &lt;low&gt;, sell high.", "no template Frist.html", "Earlier sessions"):
        assert text in answer.text


async def test_one_click_starts_a_session(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    key = re.findall(r'name="key" value="(\w+)"', (await client.get("/")).text)[0]
    answer = await client.post("/start/counter", data={"key": key})
    (host,) = gateway.hosts.values()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/{gateway.admin_token(host.id)}/")
    assert (await client.post("/start/nothing", data={"key": key})).status_code == 404


async def test_sessions_are_started_only_from_the_start_page(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    assert (await client.post("/start/counter")).status_code == 403
    assert (await client.post("/start/counter", data={"key": "guess"})).status_code == 403
    assert (await client.get("/start/counter")).status_code == 405
    assert gateway.hosts == {}


async def test_production_shows_no_list(client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    key = re.findall(r'name="key" value="(\w+)"', (await client.get("/")).text)[0]
    gateway.development = False
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "<h1>Welcome</h1>" in answer.text
    assert "counter" not in answer.text
    assert (await client.post("/start/counter", data={"key": key})).status_code == 404


@pytest.fixture
async def host(gateway: FakeGateway) -> FakeHost:
    return await gateway.create_session("counter", players=1)


@pytest.fixture
def admin(gateway: FakeGateway, host: FakeHost) -> str:
    return f"/admin/{gateway.admin_token(host.id)}/"


async def test_the_overview_shows_link_code_and_players(client: httpx.AsyncClient, host: FakeHost, admin: str) -> None:
    answer = await client.get(admin)
    assert f"http://lab.test/s/{host.id}/" in answer.text
    assert "<svg" in answer.text
    assert f"/p/{host.lines[0].token}/" in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_nobody_is_shown_before_they_are_stored(
    client: httpx.AsyncClient, host: FakeHost, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def durable() -> None:
        raise JournalUnavailable("the disk is full")

    monkeypatch.setattr(host, "durable", durable)
    for address in (admin, f"{admin}multiview?players=1"):
        assert (await client.get(address)).status_code == 503


async def test_links_carry_the_public_address(browser: Open, host: FakeHost, admin: str) -> None:
    answer = await browser(Settings(url="https://study.example/")).get(admin)
    assert f"https://study.example/s/{host.id}/" in answer.text


async def test_the_overview_needs_its_token(client: httpx.AsyncClient, gateway: FakeGateway, host: FakeHost) -> None:
    other = await gateway.create_session("counter")
    wrong = [host.id, f"{host.id}-{'a' * 26}", f"{host.id}-", host.lines[0].token, "ü", gateway.admin_token("x" * 12)]
    for token in wrong:
        for address in (f"/admin/{token}/", f"/admin/{token}/multiview"):
            assert (await client.get(address)).status_code == 404
    assert host.lines[0].token not in (await client.get(f"/admin/{gateway.admin_token(other.id)}/")).text


async def test_the_multi_view_shows_participants_side_by_side(
    client: httpx.AsyncClient, host: FakeHost, admin: str
) -> None:
    answer = await client.post(f"{admin}multiview", data={"participants": "3"})
    assert answer.status_code == 303
    assert len(host.lines) == 3  # the one that was there is used
    page = await client.get(answer.headers["location"])
    assert [f"/p/{line.token}/" for line in host.lines] == re.findall(r'<iframe src="([^"]+)"', page.text)
    for _ in range(2):
        await client.get(answer.headers["location"])
    assert len(host.lines) == 3


async def test_the_multi_view_leaves_those_alone_who_are_here(
    client: httpx.AsyncClient, host: FakeHost, admin: str
) -> None:
    host.lines[0].online = True
    answer = await client.post(f"{admin}multiview", data={"participants": "1"})
    assert answer.headers["location"].endswith("?players=2")


async def test_the_multi_view_keeps_whom_it_shows(client: httpx.AsyncClient, host: FakeHost, admin: str) -> None:
    for _ in range(2):
        await host.join()
    for line in host.lines:
        line.online = True
    fewer = await client.post(f"{admin}multiview", data={"participants": "2", "players": "3,1,2,3,9"})
    assert fewer.headers["location"].endswith("?players=3,1")


@pytest.mark.parametrize("count", ["", "0", "13", "-1", "two", "99999999999"])
async def test_a_multi_view_of_a_sensible_size(
    client: httpx.AsyncClient, host: FakeHost, admin: str, count: str
) -> None:
    assert (await client.post(f"{admin}multiview", data={"participants": count})).status_code == 400
    assert len(host.lines) == 1


async def test_an_empty_multi_view_says_so(client: httpx.AsyncClient, admin: str) -> None:
    assert "No participants are chosen" in (await client.get(f"{admin}multiview?players=77,x")).text


async def test_the_number_of_participants_that_an_app_suggests(
    client: httpx.AsyncClient, gateway: FakeGateway, host: FakeHost, admin: str
) -> None:
    assert "multiple of" not in (await client.get("/")).text
    assert 'max="12" value="2"' in (await client.get(admin)).text
    gateway.experiments.known["counter"].multiple = 4
    assert "Best with a multiple of 4 participants" in (await client.get("/")).text
    assert 'max="12" value="4"' in (await client.get(admin)).text
    gateway.experiments.known["counter"].multiple = 60
    assert 'max="12" value="12"' in (await client.get(admin)).text
