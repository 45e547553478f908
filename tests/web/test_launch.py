"""Which sessions a start opens, and how an address is printed."""

from __future__ import annotations

import socket

from promptgrimoire.settings import Settings
from promptgrimoire.web.launch import open_sessions
from promptgrimoire.web.server import address_of
from tests.web.fakes import FakeExperiment, FakeExperiments, FakeGateway


async def test_a_session_that_nobody_has_joined_is_gone_on_with() -> None:
    gateway = FakeGateway()
    (first,) = await open_sessions(gateway, 0)
    (again,) = await open_sessions(gateway, 0)
    assert first == again
    await gateway.hosts[first.session or ""].join()
    (new,) = await open_sessions(gateway, 0)
    assert new.session != first.session


async def test_players_ask_for_a_new_session() -> None:
    gateway = FakeGateway()
    await gateway.create_session("counter")
    (opened,) = await open_sessions(gateway, 2)
    assert len(gateway.hosts) == 2
    assert [name for name, _ in opened.players] == ["player1", "player2"]


async def test_players_open_a_session_of_every_app() -> None:
    gateway = FakeGateway(FakeExperiments({app: FakeExperiment(app) for app in ("a", "b")}))
    assert [len(line.players) for line in await open_sessions(gateway, 1)] == [1, 1]


def test_the_address_that_is_printed_can_be_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener, Settings(port=0)) == f"http://127.0.0.1:{port}"
        assert address_of(listener, Settings(host="0.0.0.0")) == f"http://127.0.0.1:{port}"
        assert address_of(listener, Settings(host="::1")) == f"http://[::1]:{port}"
        assert address_of(listener, Settings(host="lab.local")) == f"http://lab.local:{port}"
        assert address_of(listener, Settings(url="https://x.org/")) == "https://x.org"
