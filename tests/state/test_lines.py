"""Which line of the author's code writes, and where the search for it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptgrimoire.state.lines import Lines


def calling(file: str | Path, line: int) -> Callable[..., Any]:
    """A function of that file that calls, on that line, the function it is given."""
    names: dict[str, Any] = {}
    source = "\n" * (line - 2) + "def call(function, *rest):\n    return function(*rest)\n"
    exec(compile(source, str(file), "exec"), names)
    made: Callable[..., Any] = names["call"]
    return made


def test_the_line_is_that_of_the_innermost_frame_of_the_author(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    outer, inner = calling(tmp_path / "app" / "__init__.py", 7), calling(tmp_path / "rules.py", 3)
    elsewhere = calling("/somewhere/else.py", 5)
    assert outer(inner, elsewhere, lines.here) == "rules.py:3"
    assert outer(elsewhere, lines.here) == "app/__init__.py:7"
    assert elsewhere(lines.here) == ""


def test_nothing_above_the_framework_s_step_is_looked_at(tmp_path: Path) -> None:
    steps = tmp_path / "segments.py"
    lines = Lines(tmp_path, str(steps))
    author, step = calling(tmp_path / "app.py", 7), calling(steps, 9)
    assert author(step, lines.here) == ""
    assert step(author, lines.here) == "app.py:7"
    assert author(step, author, lines.here) == "app.py:7"
