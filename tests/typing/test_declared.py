"""Declared fields: complete for both type checkers, which find nothing in what is right and everything that is wrong;
and at run time what they say.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from promptgrimoire.authoring.experiment import load
from promptgrimoire.errors import ExperimentError
from tests.engine.stage import Server, settle

HERE = Path(__file__).resolve().parent / "experiments"
ROOT = HERE.parent.parent.parent
RIGHT, WRONG = HERE / "declared.py", HERE / "mistakes.py"
CHECKERS = {
    "mypy": ("mypy", "--strict", "--python-version", "3.11"),
    "pyright": ("pyright", "--pythonpath", sys.executable),
}


def lines_with_errors(checker: str, file: Path) -> set[int]:
    """Numbers of the lines in which a type checker finds errors."""
    command = [sys.executable, "-m", *CHECKERS[checker], str(file)]
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line) for line in re.findall(rf"{file.name}:(\d+)(?::\d+ -|:) error", done.stdout)}


@pytest.mark.parametrize("checker", CHECKERS)
def test_declared_fields_type_check(checker: str) -> None:
    assert lines_with_errors(checker, RIGHT) == set()


@pytest.mark.parametrize("checker", CHECKERS)
def test_misuse_is_an_error(checker: str) -> None:
    marked = {number for number, line in enumerate(WRONG.read_text().splitlines(), 1) if "  # mistake" in line}
    assert len(marked) > 8
    assert lines_with_errors(checker, WRONG) == marked


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "promptgrimoire" / "py.typed").is_file()


class Declared(Server):
    """A server of the experiment that both checkers approve of, or of one written here."""

    def serve(self, file: Path) -> None:
        self.file = self._target = file
        self.name = self.config = file.stem
        self.apps = [self.name]


async def test_what_type_checks_also_runs(tmp_path: Path) -> None:
    server = Declared(tmp_path, "")
    server.serve(RIGHT)
    await server.start()
    host = await server.create(2)
    one, two = host.state.everybody
    assert (one.score, one.drafts, host.state.session.count) == (0, [], 0)  # defaults, without new_player
    browser = await server.opened(1)
    assert await browser.ask("increment", 2) == 2
    assert await browser.ask("give", two.name) is None
    assert (one.score, one.drafts, two.score, one.payoff) == (2, ["2"], 1, 1)
    assert host.state.session.count == 2
    await server.crash()


SOURCE = """
class Player(PlayerFields):
    score: int = 0

class Group(GroupFields):
    pot: int = 5

class Session(SessionFields):
    count: int = 1

class A(Page):
    '''# A'''
    @live
    def group(page, player):
        return create_group(player.session, [player]).pot
    @live
    def write(page, player, record: str, field: str, value: Any):
        of = {"player": player, "group": player.group, "session": player.session}[record]
        setattr(of, field, value)
        return getattr(of, field)

from typing import Any
page_order = [A]
"""


async def test_declared_records_refuse_what_they_do_not_declare(tmp_path: Path) -> None:
    server = Server(tmp_path, "from typing import Any\n" + SOURCE)
    await server.start()
    await server.create(1)
    browser = await server.opened(1)
    assert await browser.ask("group") == 5
    for record, field in (("player", "score"), ("group", "pot"), ("session", "count")):
        assert await browser.ask("write", record, field, 7) == 7
        for name, value in ((field + "s", 7), (field, "seven")):
            outcome = await browser.ask("write", record, name, value)
            assert (record, outcome["code"]) == (record, "error")
    await settle()
    await server.crash()


def test_declaring_a_built_in_is_an_error_with_a_mend(tmp_path: Path) -> None:
    (tmp_path / "lab.py").write_text(
        "from promptgrimoire import *\n\nclass Player(PlayerFields):\n    round: int = 1\n\nclass A(Page):\n"
        '    """# A"""\n\npage_order = [A]\n'
    )
    with pytest.raises(ExperimentError, match=r"lab\.py:4: Player\.round: 'round' is built in; .*participant_round"):
        load(tmp_path / "lab.py")
