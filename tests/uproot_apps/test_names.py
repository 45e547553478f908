"""The compatibility face holds every name that apps written for uproot use, and all of it stands in the tables."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

import promptgrimoire
from promptgrimoire import uproot
from promptgrimoire.authoring.experiment import load
from promptgrimoire.errors import ExperimentError

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROOMS = ("smithereens", "fields", "types", "models", "chat")
NAMES = """
    PlayerType SessionType GroupType Any cast Field Player Session Group Admin Storage PlayerIdentifier ModelIdentifier
    GroupIdentifier SessionIdentifier identify materialize create_group create_groups add_to_group get_setting chat
    fmtnum to combine sha256 append_to_csv read_csv transition_to_page transition_to_end move_to_page move_to_end reload
    notify send_to send_to_one live spawn safe cu uuid rng data_uri FloatRangeField DecimalRangeField LikertField
    IBANField BoundedChoiceField FileField Random RandomOrder Rounds Repeat Between Bracket Page NoshowPage
    GroupCreatingWait SynchronizingWait PlayerContext players other_in_group others_in_group other_in_session
    others_in_session watch_for_dropout mark_dropout models payment _
"""
MODELS = "Entry create_model add_entry auto_add_entry add_raw_entry filter_entries get_entries get_latest_entry"
CHAT = "create add_player add_message notify on_message messages players exists"


def room(name: str) -> ModuleType:
    return importlib.import_module(f"promptgrimoire.uproot.{name}")


def test_the_star_import_gives_every_name() -> None:
    names: dict[str, object] = {}
    exec("from promptgrimoire.uproot import *", names)
    assert [name for name in [*NAMES.split(), *promptgrimoire.__all__] if name not in names] == []


def test_rooms_give_theirs() -> None:
    assert [name for name in MODELS.split() if name not in room("models").__all__] == []
    assert [name for name in CHAT.split() if name not in room("chat").__all__] == []
    assert all(room(name).__all__ == sorted(room(name).__all__) for name in ROOMS)
    assert all(hasattr(room(name), one) for name in ROOMS for one in room(name).__all__)


@pytest.mark.parametrize("name", sorted(set(uproot.__all__) - set(promptgrimoire.__all__)))
def test_every_further_name_is_in_the_tables(name: str) -> None:
    told = (DOCS / "uproot.md").read_text("utf-8")
    assert name in told or name in (DOCS / "builtins.md").read_text("utf-8")


def test_the_main_face_stays_free_of_names_that_authors_import() -> None:
    assert {"Random", "uuid", "Any", "cast", "Field", "chat"}.isdisjoint(promptgrimoire.__all__)


def test_a_face_hides_nothing_that_was_imported_before(tmp_path: Path) -> None:
    app = tmp_path / "lab" / "__init__.py"
    app.parent.mkdir()
    app.write_text(
        "from random import Random\nfrom promptgrimoire.uproot.smithereens import *\n"
        'class A(Page):\n    """# A"""\npage_order = [A]\n'
    )
    with pytest.raises(ExperimentError, match="hides the 'Random' of line 1"):
        load(app)
