"""The author's face: complete, documented, and shadowing nothing that authors import themselves."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import promptgrimoire
from promptgrimoire.state.records import Group, Player, Session

ROOT = Path(__file__).resolve().parent.parent
NAMES = sorted(promptgrimoire.__all__)
SHADOWED = (
    "Random random now uuid uuid4 time datetime date timedelta math asyncio json re os sys secrets statistics string"
)
NOT_OURS = ("Annotated", "Literal", "Meta", "cu", "safe")


def test_all_is_complete() -> None:
    """Whatever the module holds for authors is in `__all__`, and all of that is there."""
    public = {
        name
        for name, value in vars(promptgrimoire).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "TYPE_CHECKING"
    }
    assert set(NAMES) == public | {"_"}
    assert len(NAMES) == len(promptgrimoire.__all__)


def test_the_star_import_shadows_nothing() -> None:
    names: dict[str, object] = {}
    exec("from promptgrimoire import *", names)
    assert set(names) & {*SHADOWED.split(), *dir(__builtins__)} <= {"__builtins__"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_OURS])
def test_every_name_has_a_docstring_of_its_own(name: str) -> None:
    value = getattr(promptgrimoire, name)
    told = value if inspect.isroutine(value) or inspect.isclass(value) else type(value)
    assert (told.__doc__ or "").strip().endswith((".", "`", ")")), f"{name} has no docstring"
    assert told.__doc__ != getattr(type(value), "__doc__", None) or not inspect.isclass(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_in_the_tables(name: str) -> None:
    assert re.search(rf"`[^`]*(?<!\w){re.escape(name)}(?!\w)[^`]*`", (ROOT / "docs" / "builtins.md").read_text("utf-8"))
    if name != "_":
        anywhere = (ROOT / "docs" / "authoring.md").read_text("utf-8") + (ROOT / "docs" / "builtins.md").read_text(
            "utf-8"
        )
        assert name in anywhere


def test_every_built_in_attribute_is_in_the_tables() -> None:
    table = (ROOT / "docs" / "builtins.md").read_text("utf-8").split("## Methods")[0]
    listed = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    )
    for kind in (Player, Group, Session):
        attributes = {name for name in dir(kind) if not name.startswith("_") and not callable(getattr(kind, name))}
        assert attributes - listed <= {"players"}  # of a player: itself, so that one may stand for many


def test_what_the_tables_say_of_writing_is_true() -> None:
    table = (ROOT / "docs" / "builtins.md").read_text("utf-8").split("## Methods")[0]
    writable = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `") and "| yes |" in line}
    assert writable == {"label", "payoff"}
