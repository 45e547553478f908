"""Which sessions a start opens, and how an address is printed."""

from __future__ import annotations

import socket

import pytest

from promptgrimoire.errors import JournalDamaged, JournalUnavailable, NotFound
from promptgrimoire.settings import Settings
from promptgrimoire.web.launch import Opened, open_sessions, text_lines
from promptgrimoire.web.server import address_of
from tests.web.fakes import FakeExperiment, FakeExperiments, FakeGateway, FakeHost


async def test_a_session_that_nobody_has_joined_is_gone_on_with() -> None:
    gateway = FakeGateway()
    (first,) = await open_sessions(gateway, 0)
    (again,) = await open_sessions(gateway, 0)
    assert first == again
    await gateway.hosts[first.session or ""].join()
    (new,) = await open_sessions(gateway, 0)
    assert new.session != first.session


@pytest.mark.parametrize("players", [0, 2])
async def test_a_session_that_people_have_joined_is_named_after_a_restart(players: int) -> None:
    """A restart printed a new session's links only, and latecomers were sent there."""
    gateway = FakeGateway()
    (first,) = await open_sessions(gateway, 0)
    assert first.earlier is None
    await gateway.hosts[first.session or ""].join()
    (new,) = await open_sessions(gateway, players)
    assert new.earlier == first.admin
    assert f"Before  http://x/admin/{first.admin}/ goes on: people have joined it" in text_lines(
        "http://x", [new], Settings()
    )


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


class Failing(FakeGateway):
    """Opens no session of "broken"; loads no session at all where `damaged`."""

    damaged = False
    error: Exception = ValueError("a mistake in new_session")

    async def create_session(self, config: str, players: int = 0) -> FakeHost:
        if config == "broken":
            raise self.error
        return await super().create_session(config, players)

    async def host(self, session_id: str) -> FakeHost:
        if self.damaged:
            raise JournalDamaged(session_id)
        return await super().host(session_id)


async def test_evidence_46_an_app_whose_new_session_fails_stops_no_other() -> None:
    gateway = Failing(FakeExperiments({app: FakeExperiment(app) for app in ("broken", "fine")}))
    broken, fine = await open_sessions(gateway, 1)
    assert (broken.session, broken.players) == (None, [])
    assert len(fine.players) == 1
    gateway.error = JournalUnavailable("disk full")
    with pytest.raises(JournalUnavailable):  # nobody could take part in anything
        await open_sessions(gateway, 1)


async def test_a_damaged_session_does_not_keep_the_server_from_starting() -> None:
    gateway = Failing()
    (first,) = await open_sessions(gateway, 0)
    gateway.damaged = True
    (new,) = await open_sessions(gateway, 0)
    assert new.session not in (None, first.session)


def test_what_is_printed_says_how_to_go_on() -> None:
    closed, one = Opened("a", None, None, []), Opened("b", "s", "s-x", [("ann", "s-y")])
    assert "No session is open of a: the start page" in text_lines("http://x", [closed, one], Settings())
    assert "--players N" in text_lines("http://x", [closed], Settings(production=True))
    assert "Nothing loads yet" in text_lines("http://x", [], Settings())
    whole = text_lines("http://x", [one], Settings())
    assert "No session" not in whole
    for line in ("Join    http://x/s/s/", "Admin   http://x/admin/s-x/", "ann     http://x/p/s-y/"):
        assert line in whole.splitlines()


async def test_a_session_of_one_config_is_opened_where_it_is_named() -> None:
    gateway = FakeGateway(FakeExperiments({app: FakeExperiment(app) for app in ("a", "b")}))
    assert [bool(line.session) for line in await open_sessions(gateway, 0, config="b")] == [False, True]
    assert [len(line.players) for line in await open_sessions(gateway, 2, config="b")] == [0, 2]
    with pytest.raises(NotFound, match="no config 'c'; there are a, b"):
        await open_sessions(gateway, 0, config="c")
    gateway.experiments.errors["c"] = "c.py:1: SyntaxError"
    with pytest.raises(NotFound, match=r"c does not load: c\.py:1: SyntaxError"):
        await open_sessions(gateway, 0, config="c")


async def test_a_session_that_is_named_is_gone_on_with() -> None:
    gateway = FakeGateway(FakeExperiments({app: FakeExperiment(app) for app in ("a", "b")}))
    host = await gateway.create_session("b", 2)
    (line,) = await open_sessions(gateway, 0, session=host.id)
    assert (line.app, line.session, len(line.players)) == ("b", host.id, 2)
    with pytest.raises(NotFound):
        await open_sessions(gateway, 0, session="nothing")
