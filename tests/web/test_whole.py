"""`promptgrimoire run` as a process, on an experiment in a folder: links, restart, edits, origins, refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

ROOT = Path(__file__).resolve().parent.parent.parent
COUNTER = '''
"""Everybody sees the same number."""
from promptgrimoire import *

class Counter(Page):
    """# Count together

    The number is {{ session.count }}.
    """

def new_session(session):
    session.count = 41

page_order = [Counter]
'''
Serve = Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "counter").mkdir()
    (tmp_path / "counter" / "__init__.py").write_text(COUNTER)
    return tmp_path / "counter"


@pytest.fixture
def serve(app: Path) -> Iterator[Serve]:
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        command = [sys.executable, "-m", "promptgrimoire", "run", str(app), "--port", "0", "--json", *arguments]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
        running.append(process)
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            return process, {}
        found: dict[str, Any] = json.loads(line)
        return process, found

    yield start
    for process in running:
        process.kill()
        process.communicate()


def until(happens: Callable[[], bool]) -> None:
    """Wait for what another process does; ten seconds at most."""
    end = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=10)[1]


def test_links_stay_valid_after_a_restart(serve: Serve, app: Path) -> None:
    process, line = serve("--players", "1")
    assert "The number is 41." in httpx.get(line["players"][0]).text
    errors = stop(process)
    assert "Traceback" not in errors
    assert (app.parent / "promptgrimoire.sqlite3").is_file()

    process, again = serve()
    assert again["session"] != line["session"]  # somebody has joined that one
    for name in ("join", "admin"):
        path = httpx.URL(line[name]).path
        assert httpx.get(httpx.URL(again["url"]).join(path)).status_code == 200
    path = httpx.URL(line["players"][0]).path
    assert "The number is 41." in httpx.get(httpx.URL(again["url"]).join(path)).text


def test_a_session_that_nobody_joined_is_gone_on_with(serve: Serve) -> None:
    process, line = serve()
    stop(process)
    _, again = serve()
    assert again["session"] == line["session"]


def test_evidence_48_joining_leads_to_the_first_question_in_two_documents(serve: Serve) -> None:
    _, line = serve()
    with httpx.Client() as person:
        assert person.get(line["join"]).status_code == 200
        joined = person.post(line["join"])
        assert joined.status_code == 303
        page = person.get(httpx.URL(line["url"]).join(joined.headers["location"]))
        assert "The number is 41." in page.text
        assert person.post(line["join"]).headers["location"] == joined.headers["location"]


def test_an_edit_takes_effect_at_once(serve: Serve, app: Path) -> None:
    process, line = serve("--players", "1")
    source = app / "__init__.py"
    source.write_text(COUNTER.replace("The number is", "Now it is"))
    until(lambda: "Now it is 41." in httpx.get(line["players"][0]).text)

    source.write_text(COUNTER.replace("page_order = [Counter]", "page_order = [Conter]"))
    until(lambda: "does not load" in httpx.get(line["url"]).text)
    assert "Now it is 41." in httpx.get(line["players"][0]).text  # the version before goes on running

    source.write_text(COUNTER)
    until(lambda: "does not load" not in httpx.get(line["url"]).text)
    assert "The number is 41." in httpx.get(line["players"][0]).text
    errors = stop(process)
    assert "Conter" in errors


def test_evidence_43_a_syntax_error_while_the_server_runs_ends_nothing(serve: Serve, app: Path) -> None:
    process, line = serve("--players", "1")
    (app / "__init__.py").write_text(COUNTER.replace("class Counter(Page):", "class Counter(Page:"))
    until(lambda: "does not load" in httpx.get(line["url"]).text)
    assert "SyntaxError" in httpx.get(line["url"]).text
    assert "counter/__init__.py:5" in httpx.get(line["url"]).text
    assert "The number is 41." in httpx.get(line["players"][0]).text  # of the version before
    assert httpx.post(line["join"]).status_code == 303  # and who comes now can take part
    (app / "__init__.py").write_text(COUNTER.replace("The number is", "Now it is"))
    until(lambda: "Now it is 41." in httpx.get(line["players"][0]).text)
    errors = stop(process)
    assert "SyntaxError" in errors
    assert "the version before goes on running" in errors


def test_evidence_46_every_link_that_is_printed_works(app: Path) -> None:
    command = [sys.executable, "-m", "promptgrimoire", "run", str(app), "--port", "0", "--players", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            printed: dict[str, str] = {}
            while not (text := process.stdout.readline()).startswith("Stop with"):
                name, _, link = text.strip().partition(" ")
                if "http" in link:
                    printed[name] = link.strip()
            players = [link for link in printed.values() if "/p/" in link]
            assert {"Start", "Join", "Admin"} <= set(printed)
            assert len(players) == 2
            pages = {name: httpx.get(link) for name, link in printed.items()}
            assert {page.status_code for page in pages.values()} == {200}
            for link in players:
                assert "The number is 41." in httpx.get(link).text
                assert httpx.URL(link).path in pages["Admin"].text
            assert printed["Join"] in pages["Admin"].text
            assert 'method="post"' in pages["Join"].text  # not a joke page: a button that joins
            assert httpx.post(printed["Join"]).status_code == 303
        finally:
            process.kill()


def test_production_takes_no_edits(serve: Serve, app: Path) -> None:
    _, line = serve("--players", "1", "--production")
    (app / "__init__.py").write_text(COUNTER.replace("The number is", "Now it is"))
    time.sleep(0.6)
    assert "The number is 41." in httpx.get(line["players"][0]).text
    assert "counter" not in httpx.get(line["url"]).text


def test_another_website_cannot_open_a_socket(serve: Serve) -> None:
    _, line = serve("--players", "1")
    address = line["players"][0].replace("http:", "ws:") + "live"
    for origin in ("http://evil.test", "null"):
        with pytest.raises(InvalidStatus, match="403"), connect(address, origin=Origin(origin)):
            pass
    with connect(address, origin=Origin(line["url"].rstrip("/"))), connect(address):
        pass


def test_evidence_46_one_app_that_does_not_load_stops_no_other(serve: Serve, app: Path) -> None:
    (app.parent / "broken.py").write_text("page_order = [Nothing]\n")
    command = [
        sys.executable,
        "-m",
        "promptgrimoire",
        "run",
        str(app.parent),
        "--port",
        "0",
        "--json",
        "--players",
        "1",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = json.loads(process.stdout.readline())
            assert line["app"] == "counter"
            assert httpx.get(line["players"][0]).status_code == 200
            assert "<code>broken</code> does not load" in httpx.get(line["url"]).text
        finally:
            process.kill()


def test_evidence_9_a_second_server_on_the_same_file_is_refused(serve: Serve) -> None:
    serve()
    process, line = serve()
    assert line == {}
    assert process.wait(10) == 1
    assert process.stderr
    error = process.stderr.read()
    assert error.startswith("promptgrimoire: ")
    assert "Traceback" not in error


def test_evidence_8_a_damaged_database_is_refused(serve: Serve, app: Path) -> None:
    (app.parent / "promptgrimoire.sqlite3").write_bytes(b"not a database" * 100)
    process, line = serve()
    assert line == {}
    assert process.wait(10) == 1
    assert process.stderr
    assert "Traceback" not in process.stderr.read()
    assert (app.parent / "promptgrimoire.sqlite3").read_bytes().startswith(b"not a database")
