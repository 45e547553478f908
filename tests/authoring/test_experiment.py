"""Loading and reloading: what an Experiment holds, that a reload is fresh and the old version stays usable."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptgrimoire.authoring.experiment import load
from promptgrimoire.authoring.pages import HOOKS, Page, call_hook
from promptgrimoire.errors import ExperimentError
from tests.authoring.conftest import Loaded, Write

STAR = "from promptgrimoire import *\n"
GAME = f'''"""Counts."""
{STAR}
class C:
    ENDOWMENT = 5
    SECRET = 6
    __export__ = ["ENDOWMENT"]

class Context(PlayerContext):
    @property
    def total(self): return self.player.x + 1

class Player(PlayerFields):
    score: int = 0

class Start(Page):
    """# Start"""

    @live(rate=5)
    async def bid(page, player, amount: int = 1):
        return amount

    async def before_once(page, player): ...
    def show(page, player): return page.wanted(player)
    @classmethod
    def templatevars(page, player): return dict(a=page.triple(player))
    @staticmethod
    def jsvars(player): return dict(b=1)
    def after_once(page, player, timed_out): return timed_out
    def wanted(player): return player.x > 1
    def triple(page, player): return player.x * 3

def new_session(session): session.count = 0
async def new_player(player): ...
def on_disconnect(player): ...

@every(5)
async def tick(session): ...

page_order = [Start, [Start]]
'''


def test_what_an_experiment_holds(loaded: Loaded, tmp_path: Path) -> None:
    experiment = loaded(GAME)
    assert (experiment.name, experiment.title, experiment.description) == ("game", "Game", "Counts.")
    assert (experiment.path, experiment.project) == (tmp_path / "game", tmp_path)
    assert experiment.order == ("game/Start", "game/Start")
    assert sorted(experiment.hooks) == ["new_player", "new_session", "on_disconnect"]
    assert experiment.hooks["new_player"].is_async
    assert experiment.hooks["new_session"].where == "game/__init__.py:33"
    assert dict(experiment.export) == {"ENDOWMENT": 5}
    assert experiment.constants.SECRET == 6
    assert experiment.context_class is not None
    assert experiment.context_class(SimpleNamespace(x=1)).total == 2  # type: ignore[attr-defined]
    assert experiment.player_class is experiment.module.Player
    assert [(one.name, one.seconds, one.is_async) for one in experiment.every] == [("tick", 5.0, True)]
    assert experiment.warnings == ()
    spec = experiment.pages["game/Start"]
    assert experiment.spec_of(spec.page) is spec
    assert spec.page.__grimoire__ is spec
    method = spec.live["bid"]
    assert (method.is_async, method.options.rate, method.where) == (False, 5, "game/__init__.py:20")
    assert method.arguments(b'["7"]', lambda kind, key: None) == ((7,), {})


async def test_hooks_are_called_with_the_page(loaded: Loaded) -> None:
    page = loaded(GAME).pages["game/Start"].page
    player = SimpleNamespace(x=2)
    assert call_hook(page, "show", player) is True
    assert call_hook(page, "templatevars", player) == {"a": 6}
    assert call_hook(page, "jsvars", player) == {"b": 1}
    assert await call_hook(page, "before_once", player) is None
    assert call_hook(page, "after_once", player, timed_out=True) is True
    assert call_hook(page, "timeout", player) is None


def test_optional_arguments_are_left_out_where_a_hook_does_not_name_them(loaded: Loaded) -> None:
    assert loaded(GAME).hooks["on_disconnect"](SimpleNamespace(), reason="closed") is None


def test_hooks_are_inherited(loaded: Loaded) -> None:
    experiment = loaded(
        f'{STAR}class Base(Page):\n    """# Base"""\n    def show(page, player): return page.__name__\n'
        "    @live\n    def bid(page, player): ...\n"
        "class Start(Base):\n    def show(page, player): return super().show(player) + '!'\n\n"
        'class Other(Base):\n    """# Other"""\n\npage_order = [Start, Other]\n'
    )
    start, other = experiment.pages["game/Start"], experiment.pages["game/Other"]
    assert (start.call("show", None), other.call("show", None)) == ("Start!", "Other")
    assert start.live.keys() == other.live.keys() == {"bid"}
    assert (start.title, other.title) == ("Base", "Other")
    assert experiment.warnings == ()


def test_a_wait_page_is_called_as_its_author_says_and_else_by_no_name_of_a_class(loaded: Loaded) -> None:
    """Participants read "Wait For Offer"; and a title that was the class's name was taken for none."""
    waits = loaded(
        "from promptgrimoire import *\n"
        "class Meet(GroupCreatingWait):\n    title = 'Meet'\n    group_size = 2\n"
        "class WaitForOffer(SynchronizingWait):\n    pass\n"
        "class LastPage(Page):\n    fields = dict(why=StringField())\n"
        "page_order = [Meet, WaitForOffer, LastPage]\n"
    ).pages
    assert [spec.title for spec in waits.values()] == ["Meet", "", "Last Page"]


def test_hooks_are_declared_in_their_order() -> None:
    names = [kind.name for kind in HOOKS]
    assert names.index("early") < names.index("show") < names.index("before_once") < names.index("templatevars")
    assert names.index("validate") < names.index("after_once") < names.index("after_always_once")
    assert {kind.name for kind in HOOKS if not kind.acts} == {"live_vars", "live_shared"}


# ---------------------------------------------------------------- page_order as a function


ORDER = (
    f'{STAR}class Start(Page):\n    """# Start"""\n\nclass End(Page):\n    """# End"""\n\n'
    "def page_order(player): return player.order\n"
)


def test_page_order_of_a_player(loaded: Loaded) -> None:
    experiment = loaded(ORDER)
    assert experiment.order is None
    start, end = experiment.module.Start, experiment.module.End
    assert experiment.steps_for(SimpleNamespace(order=[end, [start]])) == ["game/End", "game/Start"]


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("Start", "expected a list of pages, returned 'Start'"),
        (None, "expected a list of pages"),
        ([], "returned no page"),
        (["Start"], "write Start without quotes"),
        ([type("Start", (Page,), {})], "not a page of this app"),
    ],
)
def test_page_order_of_a_player_is_checked(loaded: Loaded, order: Any, text: str) -> None:
    with pytest.raises(ExperimentError, match=r"game/__init__\.py:8: page_order") as caught:
        loaded(ORDER).steps_for(SimpleNamespace(order=order))
    assert text in str(caught.value)


# ---------------------------------------------------------------- reloading


def test_evidence_43_a_version_that_does_not_load_leaves_the_old_one_running(write: Write) -> None:
    text = (
        f'{STAR}from game.parts import answer\nclass Start(Page):\n    """# S"""\n'
        "    def show(page, player): return answer()\npage_order = [Start]\n"
    )
    folder = write("game", {"__init__.py": text, "parts.py": "def answer(): return 1\n"})
    old = load(folder)
    module = sys.modules["game"]
    for broken in ("def answer(: return 2\n", "import nothing_of_that_name\n", "x = 1\n"):
        (folder / "parts.py").write_text(broken)
        with pytest.raises(ExperimentError):
            load(folder)
        assert sys.modules["game"] is module
        assert old.pages["game/Start"].call("show", None) == 1
    (folder / "parts.py").write_text("def answer(): return 3\n")
    new = load(folder)
    assert (old.pages["game/Start"].call("show", None), new.pages["game/Start"].call("show", None)) == (1, 3)
    assert old.digest != new.digest


def test_a_reload_within_the_same_second_and_of_the_same_size_is_seen(write: Write) -> None:
    text = (
        f'{STAR}import game.parts\nclass Start(Page):\n    """# S"""\n'
        "    def show(page, player): return game.parts.x\npage_order = [Start]\n"
    )
    folder = write("game", {"__init__.py": text, "parts.py": "x = 1\n"})
    stamp = (folder / "parts.py").stat().st_mtime
    values = []
    for number in (1, 2, 3):
        (folder / "parts.py").write_text(f"x = {number}\n")
        os.utime(folder / "parts.py", (stamp, stamp))
        values.append(load(folder).pages["game/Start"].call("show", None))
    assert values == [1, 2, 3]


def test_modules_shared_by_apps_are_one_until_they_change(write: Write, tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("class Offer: x = 1\n")
    text = f'{STAR}from shared import Offer\nclass Start(Page):\n    """# S"""\npage_order = [Start]\n'
    one, two = (load(write(name, {"__init__.py": text})) for name in ("one", "two"))
    assert one.module.Offer is two.module.Offer
    (tmp_path / "shared.py").write_text("class Offer: x = 2\n")
    again = load(tmp_path / "one")
    assert (one.module.Offer.x, again.module.Offer.x) == (1, 2)
    assert again.digest != one.digest


def test_projects_do_not_share_modules_of_one_name(write: Write) -> None:
    text = f'{STAR}from shared import x\nclass Start(Page):\n    """# S"""\npage_order = [Start]\n'
    found = []
    for project in ("a", "b"):
        write(project, {"game/__init__.py": text, "shared.py": f"x = {project!r}\n"})
        found.append(load(write(f"{project}/game")).module.x)
    assert found == ["a", "b"]


def test_modules_that_hooks_import_late_are_fresh_after_a_reload(write: Write) -> None:
    text = f'{STAR}class Start(Page):\n    """# S"""\n    def show(page, player):\n        from game import late\n'
    files = {"__init__.py": f"{text}        return late.x\n\npage_order = [Start]\n", "late.py": "x = 1\n"}
    folder = write("game", files)
    assert load(folder).pages["game/Start"].call("show", None) == 1
    (folder / "late.py").write_text("x = 22\n")
    assert load(folder).pages["game/Start"].call("show", None) == 22


def test_an_app_that_was_imported_by_other_means_can_be_loaded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write("game", {"__init__.py": f'{STAR}class Start(Page):\n    """# S"""\npage_order = [Start]\n'})
    monkeypatch.syspath_prepend(folder.parent)
    importlib.import_module("game")
    assert load(folder).order


def test_the_digest_follows_code_and_templates(loaded: Loaded) -> None:
    code = f"{STAR}class Start(Page): ...\npage_order = [Start]\n"
    frame = '{% extends "Base.html" %}{% block main %}[]{% endblock %}'
    digests = [loaded(code, Start_html=frame.replace("[]", text)).digest for text in "aba"]
    assert digests[0] == digests[2] != digests[1]


# ---------------------------------------------------------------- what may be loaded


def test_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(f"{STAR}class Start(Page): ...\npage_order = [Start]\n")
    (tmp_path / "Start.html").write_text('{% extends "Base.html" %}{% block main %}x{% endblock %}')
    experiment = load(tmp_path / "counter.py")
    assert (experiment.name, experiment.folder) == ("counter", tmp_path)
    assert experiment.pages["counter/Start"].file == "counter.py"
    assert sys.path[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("my-app", "rename it to my_app"), ("random", "name of a Python module"), ("msgspec", "name of a Python module")],
)
def test_names_that_an_app_cannot_have(write: Write, name: str, text: str) -> None:
    with pytest.raises(ExperimentError, match=text):
        load(write(name, {"__init__.py": ""}))


def test_things_that_are_no_experiment(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ExperimentError, match=r"add folder/__init__\.py"):
        load(tmp_path / "folder")
    with pytest.raises(ExperimentError, match="found something else"):
        load(tmp_path / "notes.txt")
    with pytest.raises(ExperimentError, match="found nothing"):
        load(tmp_path / "nothing.py")


def test_a_page_that_nobody_will_see_is_a_warning(loaded: Loaded) -> None:
    experiment = loaded(f'{STAR}class Start(Page):\n    """# S"""\n\nclass Lost(Page): ...\n\npage_order = [Start]\n')
    assert experiment.warnings == ("game/__init__.py:5: page Lost is not in page_order: nobody will see it",)
