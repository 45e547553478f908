"""Which lines of a traceback an author is shown."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2

from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime import tracebacks
from promptgrimoire.runtime.tracebacks import author_traceback, is_author


def test_what_is_an_authors_file() -> None:
    assert is_author(__file__)
    assert not is_author(tracebacks.__file__)
    assert not is_author(json.__file__)
    assert not is_author(jinja2.__file__)
    assert not is_author("<frozen importlib._bootstrap>")
    assert not is_author(str(Path(tracebacks.__file__).parents[1] / "state" / "lines.py"))


def test_a_traceback_begins_at_the_authors_line_and_goes_on_into_libraries() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        text = author_traceback(error)
    assert f'File "{__file__}"' in text
    assert "decoder.py" in text


def test_a_refusal_without_a_line_of_the_author_is_its_message() -> None:
    problem = AuthorError("game.py:3: what add returns: a Lock")
    assert author_traceback(problem) == "promptgrimoire.errors.AuthorError: game.py:3: what add returns: a Lock\n"


def test_what_made_a_template_fail_is_shown_where_it_has_lines_of_the_author() -> None:
    problem = AuthorError("Start.html:3: ValueError: wrong")
    try:
        raise ValueError("wrong")
    except ValueError as cause:
        problem.__cause__ = cause
    assert f'File "{__file__}"' in author_traceback(problem)
    problem.__cause__ = ValueError("from jinja")
    assert "Traceback" not in author_traceback(problem)


def test_a_fault_of_ours_is_shown_whole() -> None:
    assert author_traceback(ValueError("bare")) == "ValueError: bare\n"
    try:
        tracebacks.is_author(3)  # type: ignore[arg-type]
    except AttributeError as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        text = author_traceback(error)
    assert "tracebacks.py" in text
