"""The command line: what it accepts, what it says, how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptgrimoire.cli import database_path, default_database, main
from promptgrimoire.commands import PlayerCreated
from promptgrimoire.errors import JournalError
from promptgrimoire.journal.base import Description
from promptgrimoire.journal.entries import Chain, Entry
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.settings import SettingsError
from promptgrimoire.state.patches import Patch


class Silent:
    def stored(self, seq: int) -> None: ...
    def failed(self, error: JournalError) -> None:
        raise error


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A journal with one session: player 1 is named Ann, player 2 Bo; scores and a pot."""
    path = tmp_path / "study.sqlite3"
    journal = SqliteJournal(path)
    await journal.open()
    chain = Chain("abc")
    patches = [
        (Patch("!p1", "set", ["name"]), b'"Ann"'),
        (Patch("!p2", "set", ["name"]), b'"Bo"'),
        (Patch("p1", "set", ["score"], line="market.py:12"), b"5"),
        (Patch("p2", "set", ["score"]), b"6"),
        (Patch("p1", "delete", ["draft"]), b"null"),
        (Patch("s", "splice", ["offers"]), b"[1.5]"),
    ]
    for number, (patch, value) in enumerate(patches, start=1):
        entry = Entry(seq=number, at=1_700_000_000.0, cause=PlayerCreated(1), patches=[patch])
        journal.append(Silent(), chain.row(entry, [b"null", value, b"null"]), Description("market", 1.0, False, None))
    await journal.flush()
    await journal.close()
    return path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["player1.score = 5", "player2.score = 6", "player1.draft deleted", "session.offers splice [1.5]"]),
        (("player2",), ["player2.score = 6"]),
        (("1",), ["player1.score = 5", "player1.draft deleted"]),
        (("Bo",), ["player2.score = 6"]),
        (("Ann", "score"), ["player1.score = 5"]),
        (("session",), ["session.offers splice [1.5]"]),
    ],
)
def test_history_lists_changes(
    database: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: list[str]
) -> None:
    assert main(["history", "abc", *arguments, "--database", f"sqlite:///{database}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[33:].split("   ")[0] for line in lines] == expected
    assert "[player_created]" in lines[0]


def test_history_names_the_line_of_code(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["history", "abc", "1", "score", "--database", f"sqlite:///{database}"])
    assert capsys.readouterr().out.endswith("(market.py:12)\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no session 'nothing'"),
        (("abc", "Cy"), "no player 'Cy' in session 'abc'"),
        (("abc", "7"), "no player '7' in session 'abc'"),
        (("abc", "Ann", "scoer"), "no field 'scoer' of Ann in session 'abc'; there are draft, score"),
    ],
)
def test_history_says_what_is_not_there(
    database: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["history", *arguments, "--database", f"sqlite:///{database}"]) == 1
    assert message in capsys.readouterr().err


def test_verify_finds_what_was_changed(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{database}"
    assert main(["verify", "--database", url]) == 0
    assert "6 entries" in capsys.readouterr().out
    content = database.read_bytes()
    for path in (database, database.with_name(database.name + "-wal")):
        if path.exists():
            path.write_bytes(path.read_bytes().replace(b"market.py:12", b"market.py:13"))
    assert database.read_bytes() != content
    assert main(["verify", "abc", "--database", url]) == 1
    assert "damaged" in capsys.readouterr().out


def test_verify_of_a_session_that_is_not_there(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "nothing", "--database", f"sqlite:///{database}"]) == 1
    captured = capsys.readouterr()
    assert "no session 'nothing'" in captured.err
    assert "damaged" not in captured.out


def test_verify_of_no_database_creates_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nothing.sqlite3"
    assert main(["verify", "--database", f"sqlite:///{path}"]) == 1
    assert capsys.readouterr().err.startswith("promptgrimoire: ")
    assert not path.exists()


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "x", "--players", "-1"], ["run", "x", "--port", "many"]])
def test_wrong_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("promptgrimoire ")


def test_a_target_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path / "counter.py")]) == 1
    assert "There is no file or folder" in capsys.readouterr().err


def test_the_database_lies_beside_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "apps").mkdir()
    beside = f"sqlite:///{tmp_path}/promptgrimoire.sqlite3"
    assert default_database(tmp_path / "counter.py") == beside
    assert default_database(tmp_path / "apps") == beside
    monkeypatch.chdir(tmp_path)
    assert default_database(Path()) == beside


def test_only_sqlite_is_a_database_here() -> None:
    assert database_path("sqlite:///a/b.sqlite3") == Path("a/b.sqlite3")
    assert database_path("sqlite:////a/b.sqlite3") == Path("/a/b.sqlite3")
    for wrong in ("", "sqlite:///", "postgresql://x", "b.sqlite3"):
        with pytest.raises(SettingsError, match="Expected a database like sqlite:///"):
            database_path(wrong)


def test_evidence_46_where_nothing_loads_a_script_hears_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text("page_order = [Nothing]\n")
    for flag in ("--json", "--production"):
        assert main(["run", str(tmp_path / "broken.py"), "--port", "0", flag]) == 1
        captured = capsys.readouterr()
        assert "nothing to serve" in captured.err
        assert captured.out == ""
