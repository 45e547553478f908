"""Which configs run, in which version, and what stands in for one that does not load."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptgrimoire.errors import ExperimentError, NotFound
from promptgrimoire.runtime.versions import Experiments, project_folder

APP = 'from promptgrimoire import *\n\nclass Start(Page):\n    """# Start"""\n\npage_order = [Start]\n'
TOML = """[configs.full]
apps = ["first", "second"]
language = "de"
settings = { rate = 2 }

[configs.short]
apps = ["second"]

[settings]
rate = 1
fee = 5
"""
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _modules_as_before() -> Iterator[None]:
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two apps and two configs."""
    for app in ("first", "second"):
        (tmp_path / app).mkdir()
        (tmp_path / app / "__init__.py").write_text(APP)
    (tmp_path / "grimoire.toml").write_text(TOML)
    return tmp_path


@pytest.fixture
def experiments(project: Path) -> Experiments:
    found = Experiments(project)
    found.load_all()
    return found


def test_a_project_offers_its_configs(experiments: Experiments) -> None:
    assert experiments.names() == ["full", "short"]
    full, short = experiments.study("full"), experiments.study("short")
    assert [app.name for app in full.apps] == ["first", "second"]
    assert full.apps[1] is short.apps[0] is experiments.get("second")
    assert (dict(full.settings), dict(short.settings)) == ({"rate": 2, "fee": 5}, {"rate": 1, "fee": 5})
    assert experiments.errors == {}
    assert (full.language, short.language) == ("de", "en")


def test_without_configs_each_app_is_one(project: Path) -> None:
    (project / "grimoire.toml").write_text("[settings]\nrate = 1\n")
    experiments = Experiments(project)
    experiments.load_all()
    assert experiments.names() == ["first", "second"]
    assert dict(experiments.study("first").settings) == {"rate": 1}


def test_an_app_by_itself_that_does_not_load_is_named_once(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    (project / "second" / "__init__.py").write_text("(")
    experiments = Experiments(project / "second")
    experiments.load_all()
    assert [list(experiments.errors), experiments.names()] == [["second"], []]
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


def test_one_app_of_a_project_by_itself(project: Path) -> None:
    experiments = Experiments(project / "second")
    experiments.load_all()
    assert experiments.names() == ["second"]
    assert dict(experiments.study("second").settings) == {"rate": 1, "fee": 5}
    assert project_folder(project / "second") == project_folder(project / "x.py") == project_folder(project) == project


def test_an_app_is_still_found_for_sessions_of_before_it_was_part_of_a_config(experiments: Experiments) -> None:
    assert [app.name for app in experiments.study("first").apps] == ["first"]
    assert "first" not in experiments.names()


def test_an_app_that_does_not_load_stops_only_the_configs_that_use_it(project: Path) -> None:
    (project / "first" / "__init__.py").write_text("1 / 0\n")
    experiments = Experiments(project)
    experiments.load_all()
    assert experiments.names() == ["short"]
    assert "first/__init__.py:1: ZeroDivisionError" in experiments.errors["first"]
    assert experiments.errors["full"] == "grimoire.toml:2: the app first does not load"
    with pytest.raises(NotFound, match=r"no experiment .full. that loads: grimoire\.toml:2"):
        experiments.study("full")
    (project / "first" / "__init__.py").write_text(APP)
    experiments.refresh("first")
    assert experiments.names() == ["full", "short"]
    assert experiments.errors == {}


def test_an_unknown_app_is_named_with_its_mend(project: Path) -> None:
    (project / "grimoire.toml").write_text(TOML.replace('"first"', '"frist"'))
    experiments = Experiments(project)
    experiments.load_all()
    assert experiments.names() == ["short"]
    assert experiments.errors["full"] == (
        f"grimoire.toml:2: there is no app 'frist' in {project.name}; did you mean 'first'?"
    )


def test_an_edit_of_an_app_reaches_every_config_that_uses_it(experiments: Experiments, project: Path) -> None:
    changed: list[str] = []
    experiments.on_change = changed.append
    assert not experiments.refresh("second")
    assert changed == []
    (project / "second" / "__init__.py").write_text(APP + "\nx = 1\n")
    assert experiments.refresh("second")
    assert changed == ["full", "short"]
    assert experiments.study("full").apps[1] is experiments.get("second")
    assert experiments.get("second").module.x == 1
    changed.clear()
    (project / "first" / "__init__.py").write_text(APP + "\nx = 1\n")
    assert experiments.refresh("first")
    assert changed == ["full"]


def test_an_edit_is_one_of_those_apps_that_import_what_was_edited(project: Path) -> None:
    """Any reload of an app after another one had been loaded counted as a new version."""
    (project / "lib").mkdir()
    (project / "lib" / "__init__.py").write_text("from .deep import X\n")
    (project / "lib" / "deep.py").write_text("X = 1\n")
    (project / "second" / "__init__.py").write_text("import lib.deep\n" + APP)
    experiments = Experiments(project)
    experiments.load_all()
    assert [experiments.refresh(app) for app in ("first", "second", "first")] == [False, False, False]
    (project / "lib" / "deep.py").write_text("X = 2\n")
    assert [experiments.refresh(app) for app in ("first", "second")] == [False, True]
    (project / "first" / "__init__.py").write_text("from lib import X\n" + APP)
    assert experiments.refresh("first")
    (project / "lib" / "deep.py").write_text("X = 3\n")
    assert [experiments.refresh(app) for app in ("first", "second")] == [True, True]
    assert experiments.get("first").module.X == 3


def test_a_version_that_does_not_load_leaves_the_old_one_running(experiments: Experiments, project: Path) -> None:
    before = experiments.study("full")
    (project / "second" / "__init__.py").write_text("(")
    assert not experiments.refresh("second")
    assert experiments.names() == ["full", "short"]
    assert experiments.study("full") is before
    assert list(experiments.errors) == ["second"]


def test_apps_that_cannot_be_together_any_more(experiments: Experiments, project: Path) -> None:
    for app, kind in (("first", "int"), ("second", "str")):
        declared = f"\nclass Player(PlayerFields):\n    score: {kind}\n"
        (project / app / "__init__.py").write_text(APP + declared)
        experiments.refresh(app)
    assert "player.score is declared as str in second" in experiments.errors["full"]
    full = experiments.study("full")
    assert full.apps[0].declared
    assert not full.apps[1].declared  # as it was when both fitted together
    assert experiments.study("short").apps[0].declared


def test_an_edit_of_the_projects_file(experiments: Experiments, project: Path) -> None:
    changed: list[str] = []
    experiments.on_change = changed.append
    (project / "third").mkdir()
    (project / "third" / "__init__.py").write_text(APP)
    (project / "grimoire.toml").write_text(
        TOML.replace('"second"]\n\n', '"third"]\n\n').replace("rate = 2", "rate = 3")
    )
    assert experiments.refresh_project() == ["short"]
    assert [app.name for app in experiments.study("short").apps] == ["third"]
    assert experiments.study("full").settings["rate"] == 3
    assert changed == ["short"]


def test_a_mistake_in_the_projects_file_leaves_everything_as_it_was(experiments: Experiments, project: Path) -> None:
    (project / "grimoire.toml").write_text("[config.full]\n")
    assert experiments.refresh_project() == []
    assert experiments.names() == ["full", "short"]
    assert "did you mean 'configs'" in experiments.errors["grimoire.toml"]
    (project / "grimoire.toml").write_text(TOML)
    experiments.refresh_project()
    assert experiments.errors == {}
    (project / "grimoire.toml").write_text("[config.full]\n")
    with pytest.raises(ExperimentError, match="did you mean 'configs'"):
        Experiments(project).load_all()


def test_a_config_that_is_gone_is_not_offered_but_its_sessions_go_on(experiments: Experiments, project: Path) -> None:
    (project / "grimoire.toml").write_text(TOML.partition("[configs.short]")[0])
    experiments.refresh_project()
    assert experiments.names() == ["full"]
    assert experiments.study("short").name == "short"


def test_a_secret_is_there_where_a_module_is_imported(project: Path) -> None:
    (project / "first" / "__init__.py").write_text(f"{APP}\nKEY = secret('KEY')\n")
    (project / "second" / "__init__.py").write_text(f"{APP}\nnumber = rng().random()\n")
    experiments = Experiments(project, {"KEY": "from outside"})
    experiments.load_all()
    assert experiments.get("first").module.KEY == "from outside"
    assert "second/__init__.py:8: NoTransaction: rng(…) works only in hooks" in experiments.errors["second"]


def test_configs_of_one_name_in_different_folders_have_different_origins(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    there = Experiments(tmp_path / "elsewhere")
    here = Experiments(project)
    assert here.origin("full") == Experiments(project).origin("full") != there.origin("full")
    assert here.origin("full") != here.origin("short")


def test_a_file_and_a_folder_of_one_name_are_no_app(project: Path) -> None:
    (project / "second.py").write_text(APP)
    experiments = Experiments(project)
    experiments.load_all()
    assert "second.py and the folder second have one name; rename one of them" in experiments.errors["second"]
    assert experiments.names() == []
