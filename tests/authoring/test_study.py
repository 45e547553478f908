"""A study of several apps: their pages, hooks and timers together, and what keeps apps from being in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptgrimoire.authoring.experiment import Experiment, load
from promptgrimoire.authoring.study import compose
from promptgrimoire.errors import ExperimentError

Apps = Callable[..., list[Experiment]]
PAGE = 'class Start(Page):\n    """# Start"""\n\npage_order = [Start]\n'


@pytest.fixture
def apps(tmp_path: Path) -> Apps:
    """Load apps: apps(first="…", second="…")."""

    def apps(**sources: str) -> list[Experiment]:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(f"from promptgrimoire import *\n{source}\n{PAGE}")
        return [load(tmp_path / f"{name}.py") for name in sources]

    return apps


def test_what_several_apps_are_together(apps: Apps) -> None:
    hooks = "def new_player(player): pass\n\n@every(5)\ndef tick(session): pass\n\nSUGGESTED_MULTIPLE = "
    first, second = apps(first=hooks + "4", second=hooks + "6")
    study = compose("full_study", [first, second], settings={"rate": 1})
    assert list(study.pages) == ["first/Start", "second/Start"]
    assert study.pages["second/Start"].page is second.module.Start
    assert [(app, hook.function) for app, hook in study.hooks_named("new_player")] == [
        ("first", first.module.new_player),
        ("second", second.module.new_player),
    ]
    assert study.hooks_named("restart") == []
    assert [handler.name for handler in study.every] == ["first.tick", "second.tick"]
    assert (study.name, study.title, study.multiple, dict(study.settings)) == (
        "full_study",
        "Full study",
        12,
        {"rate": 1},
    )
    assert study.app("second") is second
    with pytest.raises(KeyError):
        study.app("third")


def test_functions_are_named_by_their_app(apps: Apps) -> None:
    study = compose("both", apps(first="def ring(): pass", second="def ring(): pass"))
    first, second = (app.module for app in study.apps)
    assert [study.name_of(first.ring), study.name_of(second.ring)] == ["first.ring", "second.ring"]
    assert study.function("second.ring") is second.ring
    assert study.function("second.rang") is study.function("third.ring") is None
    assert study.name_of(lambda: None) is None


def test_a_digest_changes_with_any_app_and_with_their_order(apps: Apps, tmp_path: Path) -> None:
    first, second = apps(first="", second="")
    digest = compose("x", [first, second]).digest
    assert compose("x", [first]).digest == first.digest
    assert compose("x", [second, first]).digest != digest
    (tmp_path / "second.py").write_text(f"from promptgrimoire import *\nx = 1\n{PAGE}")
    assert compose("x", [first, load(tmp_path / "second.py")]).digest != digest


def test_title_and_description_are_an_apps_own_only_where_it_is_alone(apps: Apps) -> None:
    first, second = apps(first='DESCRIPTION = "One."', second="")
    assert (compose("first", [first]).title, compose("first", [first]).description) == ("First", "One.")
    assert (compose("a_b", [first]).title, compose("a_b", [first]).description) == ("A b", "One.")
    assert compose("both", [first, second]).description == ""
    assert compose("both", [first, second], title="T", description="D").title == "T"


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        ("score: int", "score: float", "player.score is declared as float in second and as int in first; give both"),
        ("x: list[int]", "x: list[str]", "player.x is declared as list[str] in second and as list[int] in first"),
    ],
)
def test_one_field_has_one_type_in_all_apps(apps: Apps, one: str, other: str, problem: str) -> None:
    declared = "class Player(PlayerFields):\n    "
    loaded = apps(first=declared + one, second=declared + other)
    with pytest.raises(ExperimentError) as refused:
        compose("both", loaded)
    assert refused.value.problems[0].startswith(problem)
    assert compose("both", apps(third=declared + one, fourth=declared + one + "\n    y: int"))


def test_an_app_stands_in_a_study_once(apps: Apps) -> None:
    (first,) = apps(first="")
    with pytest.raises(ExperimentError, match="the app first is named twice"):
        compose("both", [first, first])


@pytest.mark.parametrize("value", ["0", "-1", "True", "'4'", "2.0"])
def test_a_suggested_multiple_is_a_number_of_players(apps: Apps, value: str) -> None:
    with pytest.raises(ExperimentError, match=r"first.py:2: SUGGESTED_MULTIPLE: expected a number of players"):
        apps(first=f"SUGGESTED_MULTIPLE = {value}")
