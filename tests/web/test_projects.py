"""`promptgrimoire run` in a project's folder, as a process: configs, sessions, edits, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APP = '''from pathlib import Path

from promptgrimoire import *
from shared import GREETING

WORDS = Path("words.txt").read_text()
LANDING_PAGE = True


class Start(Page):
    """# {{ app }}: {{ settings.rate }}, {{ get_setting("tax", 7) }}, {{ session.words }}, {{ session.key }}"""


def new_session(session):
    session.words = GREETING + WORDS
    session.key = len(secret("KEY"))


page_order = [Start]
'''
TOML = """[configs.full]
title = "Everything"
apps = ["first", "second"]
settings = { rate = 2 }

[configs.short]
apps = ["second"]

[settings]
rate = 1

[server.limits]
players = 3
"""
Run = Callable[..., tuple[subprocess.Popen[str], list[dict[str, Any]]]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for app in ("first", "second"):
        (tmp_path / app).mkdir()
        (tmp_path / app / "__init__.py").write_text(APP)
        (tmp_path / app / "LandingPage.html").write_text("<h1>Come to {{ app }} for {{ settings.rate }}</h1>")
    (tmp_path / "shared.py").write_text('GREETING = "good "\n')
    (tmp_path / "words.txt").write_text("morning")
    (tmp_path / "secrets.toml").write_text('KEY = "12345678"\n')
    (tmp_path / "grimoire.toml").write_text(TOML)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Iterator[Run]:
    """Run in the project's folder; gives the process and what it printed, a line for each config."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str, lines: int = 2, folder: Path = project) -> tuple[subprocess.Popen[str], Any]:
        command = [sys.executable, "-m", "promptgrimoire", "run", "--port", "0", "--json", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)
        running.append(process)
        assert process.stdout
        return process, [json.loads(line) for line in [process.stdout.readline() for _ in range(lines)] if line]

    yield run
    for process in running:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=20)[1]


def test_a_project_is_served_and_a_config_opened(run: Run, project: Path) -> None:
    process, (full, short) = run("--config", "full")
    assert [line["app"] for line in (full, short)] == ["full", "short"]
    assert full["session"]
    assert short["session"] is None
    start = httpx.get(full["url"]).text
    assert "Everything" in start
    assert 'action="/start/short"' in start
    join = httpx.get(full["join"]).text
    assert "<h1>Come to first for 2</h1>" in join
    assert "You are invited" not in join
    assert "Everything" in httpx.get(full["admin"]).text
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.post(full["join"], data={}).text
    assert "first: 2, 7, good morning, 8" in page
    assert (project / "promptgrimoire.sqlite3").is_file()
    assert stop(process) == ""


def test_a_session_is_gone_on_with(run: Run) -> None:
    process, (full, _) = run("--config", "full", "--players", "2")
    assert len(full["players"]) == 2
    stop(process)
    process, (again,) = run("--session", full["session"], lines=1)
    assert (again["app"], again["session"]) == ("full", full["session"])
    paths = [[link.partition("/p/")[2] for link in line["players"]] for line in (full, again)]
    assert paths[0] == paths[1]
    assert httpx.get(again["players"][0]).status_code == 200


def test_the_log_shows_no_secret(run: Run, project: Path) -> None:
    code = f"{APP}\nimport logging\nlogging.getLogger('mine').warning('key=%s', secret('KEY'))\n"
    (project / "first" / "__init__.py").write_text(code)
    (project / "secrets.toml").write_text('KEY = "0123456789abcdef"\n')
    process, _ = run()
    assert "WARNING: key=[secret KEY]" in stop(process)


def test_the_database_that_the_file_names_is_beside_it(run: Run, project: Path) -> None:
    (project / "data").mkdir()
    (project / "grimoire.toml").write_text(TOML + '[server]\ndatabase = "sqlite:///data/mine.sqlite3"\n')
    (project.parent / "away").mkdir(exist_ok=True)
    run(str(project), folder=project.parent / "away")
    assert (project / "data" / "mine.sqlite3").is_file()


def test_every_config_gets_players_where_none_is_named(run: Run) -> None:
    _, lines = run("--players", "3")
    assert [len(line["players"]) for line in lines] == [3, 3]  # as many as [server.limits] allows


def test_one_app_of_the_project_by_itself_from_elsewhere(run: Run, project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    database = ("--database", "sqlite:///here.sqlite3")
    _, (line,) = run(str(project / "second"), *database, lines=1, folder=tmp_path / "elsewhere")
    assert line["app"] == "second"
    assert (tmp_path / "elsewhere" / "here.sqlite3").is_file()
    assert "Come to second for 1" in httpx.get(line["join"]).text


def test_an_app_that_does_not_load_stops_no_other_config(run: Run, project: Path) -> None:
    (project / "first" / "__init__.py").write_text("1 / 0\n")
    _, (short,) = run(lines=1)
    assert short["app"] == "short"
    start = httpx.get(short["url"]).text
    assert "first/__init__.py:1: ZeroDivisionError" in start
    assert "grimoire.toml:3: the app first does not load" in start


def test_an_edit_of_grimoire_toml_takes_effect(run: Run, project: Path) -> None:
    _, (full, _) = run()

    def shown(text: str) -> bool:
        deadline = time.monotonic() + 20
        while text not in httpx.get(full["url"]).text:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    (project / "grimoire.toml").write_text(TOML.replace("Everything", "All of it"))
    assert shown("All of it")
    (project / "grimoire.toml").write_text(TOML.replace("configs.short", "configs.shrot]\napp = ["))
    assert shown("grimoire.toml:")
    assert "All of it" in httpx.get(full["url"]).text
    (project / "grimoire.toml").write_text(TOML + '[configs.third]\napps = ["first"]\n')
    assert shown('action="/start/third"')


def test_two_folders_with_one_database_keep_their_sessions_apart(run: Run, project: Path, tmp_path: Path) -> None:
    """A session of the other folder that nobody had joined was gone on with."""
    database = f"sqlite:///{tmp_path / 'both.sqlite3'}"
    other = tmp_path / "other"
    for folder in (project, other):
        folder.mkdir(exist_ok=True)
        (folder / "alone.py").write_text(
            'from promptgrimoire import *\nclass A(Page):\n    """# A"""\npage_order = [A]\n'
        )
    sessions = []
    for folder in (project, other, other):
        process, (line,) = run("alone.py", "--database", database, lines=1, folder=folder)
        sessions.append(line["session"])
        stop(process)
    assert sessions[0] != sessions[1] == sessions[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "fall"], "no config 'fall'; did you mean 'full'?"),
        (["--session", "aaaaaaaaaaaa"], "no session aaaaaaaaaaaa"),
        (["--session", "aaaaaaaaaaaa", "--players", "2"], "--session names one that is there"),
    ],
)
def test_what_is_not_there_is_refused(run: Run, arguments: list[str], message: str) -> None:
    process, lines = run(*arguments)
    assert lines == []
    assert message in process.communicate(timeout=20)[1]
    assert process.returncode == 1


def test_a_mistake_in_grimoire_toml_is_told_at_the_start(run: Run, project: Path) -> None:
    (project / "grimoire.toml").write_text("[config.full]\n[server.limit]\n")
    process, _ = run()
    assert "grimoire.toml:2: Object contains unknown field `limit`; did you mean `limits`?" in process.communicate()[1]
    (project / "grimoire.toml").write_text("[config.full]\n")
    process, _ = run()
    assert "grimoire.toml:1: config: did you mean 'configs'?" in process.communicate()[1]


def test_a_folder_that_is_no_project(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    process, _ = run(folder=tmp_path / "empty")
    assert "it has no grimoire.toml. Write one, or name what to serve" in process.communicate()[1]
    assert process.returncode == 1
