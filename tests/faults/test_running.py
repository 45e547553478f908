"""Evidence 8, 9, 43, 46: the process: what it prints, its links, edits while it runs, and what may be in its way."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from pathlib import Path

import httpx
import pytest

from tests.faults.people import Person
from tests.faults.servers import APP, Server, serving, wait_for

pytestmark = pytest.mark.usefixtures("hasty")


def get(server: Server, path: str) -> httpx.Response:
    return httpx.get(server.url + path, trust_env=False, verify=False, timeout=10)


def test_evidence_46_json_prints_exactly_one_line(tmp_path: Path) -> None:
    server = Server(tmp_path, production=False)
    try:
        line = server.start(2)
        assert set(line) == {"app", "url", "session", "join", "admin", "players"}
        for link in (line["url"], line["join"], line["admin"], *line["players"]):
            assert httpx.get(link, trust_env=False, verify=False).status_code == 200
        for _ in range(3):  # and nothing more, whatever happens while it runs
            get(server, "/nowhere")
        assert server.stop() == ""
    finally:
        server.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_links_of_earlier_sessions_stay_valid_after_restarts(tmp_path: Path, how: signal.Signals) -> None:
    with serving(tmp_path, 2) as server:
        sessions = [server.opened]
        for _ in range(2):
            server._end(how)
            sessions.append(server.start(2))
        links = [link for line in sessions for link in (line["join"], line["admin"], *line["players"])]
        assert len({line["session"] for line in sessions}) == 3
        for link in links:
            assert get(server, httpx.URL(link).path).status_code == 200


async def test_evidence_43_an_edit_while_it_runs_keeps_state_and_what_is_broken_stays_out(tmp_path: Path) -> None:
    app = tmp_path / "edited"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    source = app / "__init__.py"
    text = source.read_text()
    with serving(tmp_path, 2, target=app, production=False) as server:
        async with Person(server, 1) as person:
            await person.ask()
            source.write_text(text.replace("# Play", "# Played anew"))
            wait_for(lambda: "Played anew" in get(server, person.path).text)
            await person.ask()
            source.write_text(text.replace("class Play(Page):", "class Play(Page:"))
            wait_for(lambda: "does not load" in get(server, "/").text)
            assert "Played anew" in get(server, person.path).text
            assert await person.ask() == ["p1", 3]
            source.write_text(text.replace("page_order = [Play, End]", "page_order = [Play, Ende]"))
            wait_for(lambda: "Ende" in get(server, "/").text)
            assert await person.ask() == ["p1", 4]
            source.write_text(text.replace("return apply(player, who, n)", "return ['new', n]", 1))
            wait_for(lambda: "does not load" not in get(server, "/").text)
            assert await person.ask() == ["new", 5]
            assert len(await person.now.invoke("items")) == 4
        assert server.complaints() == ""


def test_evidence_46_an_app_that_does_not_load_is_shown_with_its_error_until_it_does(tmp_path: Path) -> None:
    folder = tmp_path / "apps"
    folder.mkdir()
    (folder / "good.py").write_text("from promptgrimoire import *\nclass A(Page):\n    '# A'\npage_order = [A]\n")
    bad = folder / "bad.py"
    bad.write_text("from promptgrimoire import *\nclass A(Page):\n    '# A'\npage_order = [Nothing]\n")
    with serving(tmp_path, 1, target=folder, production=False) as server:
        assert server.opened["app"] == "good"
        assert get(server, server.path(1)).status_code == 200
        start = get(server, "/").text
        assert "does not load" in start
        assert "Nothing" in start
        bad.write_text(bad.read_text().replace("Nothing", "A"))
        wait_for(lambda: "does not load" not in get(server, "/").text)


# ---------------------------------------------------------------------- files that are in the way


def refused(server: Server) -> str:
    """Start a server that must not start; gives what it says, which is one message and no traceback."""
    log = server.log()
    process = server.begin()
    output, _ = process.communicate(timeout=20)
    assert (output, process.returncode) == ("", 1)
    said = server.log().removeprefix(log)
    assert "Traceback" not in said
    assert said.count("promptgrimoire: ") == 1
    return said


def test_evidence_9_a_second_server_on_one_database_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, 1) as server:
        (tmp_path / "second").mkdir()
        second = Server(tmp_path / "second", database=server.database)
        assert str(server.pid) in refused(second)
        assert get(server, server.path(1)).status_code == 200
        server.verify()
        server.kill()
        second.start()  # the lock of a killed process is nobody's
        try:
            assert get(second, server.path(1)).status_code == 200
        finally:
            second.kill()


def changed(path: Path, before: dict[str, bytes]) -> list[str]:
    after = contents(path)
    return [name for name in {*before, *after} if before.get(name) != after.get(name)]


def contents(path: Path) -> dict[str, bytes]:
    """The database and its write-ahead log."""
    names = (path.name, path.name + "-wal")
    found = {name: (path.parent / name).read_bytes() for name in names if (path.parent / name).exists()}
    return {name: content for name, content in found.items() if content or name == path.name}


def made(tmp_path: Path) -> Server:
    """A server that has run, with something in its database."""
    server = Server(tmp_path)
    server.start(1)
    get(server, server.path(1))
    server.stop()
    return server


def test_evidence_8_a_damaged_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    server = made(tmp_path)
    whole = server.database.read_bytes()
    for damage in (b"", whole[:1000], b"\0" * len(whole), whole[:4096] + b"\xff" * 4096 + whole[8192:], b"hello" * 999):
        server.database.write_bytes(damage)
        before = contents(server.database)
        refused(server)
        assert changed(server.database, before) == []
    server.database.write_bytes(whole)
    server.start()
    assert get(server, server.path(1)).status_code == 200
    server.kill()


def test_evidence_8_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    server = made(tmp_path)
    with sqlite3.connect(server.database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = contents(server.database)
    assert "newer" in refused(server)
    assert changed(server.database, before) == []


def test_a_table_of_somebody_else_is_refused(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with sqlite3.connect(server.database) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = contents(server.database)
    assert "another program" in refused(server)
    assert changed(server.database, before) == []
