"""The Python blocks of the documentation: found, named, and played as their comments say.

A block may be announced by comments in front of it: `<!-- experiment: NAME -->` for a whole experiment,
`<!-- play: METHOD [ARGUMENTS] -> RESULT -->` for calls by player 1 of 2, `<!-- given: STATEMENTS -->` for a fragment of
a live method, `<!-- refused: PART OF THE MESSAGE -->` for one that loading refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
_BLOCK = re.compile(
    r"(?P<comments>(?:^ *<!--(?:(?!-->).)*-->\n)*)(?P<indent>^ *)```python\n(?P<code>.*?)^ *```$", re.M | re.S
)
_COMMENT = re.compile(r"<!-- (\w+): (.*?) -->")
_PLAY = re.compile(r"(\w+) (\[.*\]) -> (.*)")
CODES = ("error", "reject", "arguments")


@dataclass(frozen=True)
class Play:
    """One call, and what comes of it: a value, or (as text in CODES) the code of an error."""

    method: str
    arguments: list[Any]
    outcome: Any


@dataclass(frozen=True)
class Snippet:
    page: str
    line: int
    code: str
    experiment: str
    given: str
    refused: str
    plays: tuple[Play, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def source(self) -> str:
        """The experiment to be played; a fragment becomes the body of a live method."""
        if self.experiment:
            return self.code
        body = indent(self.code, "        ")
        given = indent(self.given.replace("; ", "\n") or "pass", "    ")
        return (
            "from promptgrimoire import *\n\n\nclass Fragment(Page):\n    '''# Fragment'''\n\n    @live\n"
            f"    def run(page, player):\n        session = player.session\n{body}\n\n"
            f"def new_player(player):\n    session = player.session\n{given}\n\n\npage_order = [Fragment]\n"
        )


def snippets() -> Iterator[Snippet]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            comments: list[tuple[str, str]] = _COMMENT.findall(found["comments"])
            assert len(comments) == found["comments"].count("<!--"), f"{page.name}: {found['comments']}"
            line = text.count("\n", 0, found.start("code"))
            named = dict(comments)
            plays = tuple(_play(value) for name, value in comments if name == "play")
            experiment, given, refused = (named.get(name, "") for name in ("experiment", "given", "refused"))
            yield Snippet(page.name, line, dedent(found["code"]), experiment, given, refused, plays)


def _play(text: str) -> Play:
    found = _PLAY.fullmatch(text)
    assert found, f"expected METHOD [ARGUMENTS] -> RESULT, found {text!r}"
    outcome = found[3] if found[3] in CODES else json.loads(found[3])
    return Play(found[1], json.loads(found[2]), outcome)
