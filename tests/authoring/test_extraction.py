"""`promptgrimoire translate`: every text of an app gets into its catalogues, and no translation gets lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptgrimoire.authoring.experiment import load, place_of
from promptgrimoire.authoring.extraction import texts_of, update
from promptgrimoire.authoring.language import UnknownLanguage
from promptgrimoire.cli import main
from promptgrimoire.errors import ExperimentError
from tests.authoring.conftest import Write

APP = '''from promptgrimoire import *

class Doc(Page):
    """# Title

    {% translate %}In a docstring{% endtranslate %}
    """

class A(Page):
    title = _("In Python")

    def templatevars(page, player):
        return {"x": _("{n} thing", "{n} things", n=2), "y": _(unknown)}

page_order = [A, Doc]
'''
PAGE = """{% extends "Base.html" %}{% block main %}
{{ _("In a template") }} {{ _("In Python") }}
{% translate %}
  In a <b>block</b> of {{ player.name }}
{% endtranslate %}
<script>_("In a script")</script>
{% endblock %}"""


@pytest.fixture
def app(write: Write) -> Path:
    about = "Texts with markup are in `{% translate %}`."
    return write("game", {"__init__.py": APP, "A.html": PAGE, "README.md": about})


def test_every_text_is_found(app: Path) -> None:
    found = {(one.text, one.plural): f"{one.file}:{one.line}" for one in texts_of(place_of(app))}
    assert found == {
        ("In Python", None): "game/__init__.py:10",
        ("{n} thing", "{n} things"): "game/__init__.py:13",
        ("In a docstring", None): "game/__init__.py:6",
        ("In a template", None): "game/A.html:2",
        ("In a <b>block</b> of {player_name}", None): "game/A.html:3",
        ("In a script", None): "game/A.html:6",
    }


def test_translations_stay_and_what_is_gone_is_kept_as_a_comment(app: Path) -> None:
    first = update(place_of(app), "de")
    assert (first.path, first.texts, first.untranslated) == (app / "locales" / "de.po", 6, 6)
    text = first.path.read_text("utf-8")
    first.path.write_text(
        text.replace('msgid "In Python"\nmsgstr ""', 'msgid "In Python"\nmsgstr "In der Schlange"'), "utf-8"
    )
    (app / "A.html").write_text(PAGE.replace("In a template", "In another"), "utf-8")
    second = update(place_of(app), "de")
    assert (second.texts, second.untranslated) == (6, 5)
    assert load(app).languages.get("de").gettext("In Python") == "In der Schlange"
    (app / "__init__.py").write_text(APP.replace("In Python", "In code"), "utf-8")
    (app / "A.html").write_text(PAGE.replace("In Python", "In code"), "utf-8")
    assert update(place_of(app), "de").untranslated == 6
    assert '#~ msgstr "In der Schlange"' in first.path.read_text("utf-8")


@pytest.mark.parametrize(("code", "forms"), [("de", 2), ("ar", 6), ("ja", 1), ("pt-BR", 2)])
def test_a_new_catalogue_loads_and_has_the_forms_of_its_language(app: Path, code: str, forms: int) -> None:
    done = update(place_of(app), code)
    assert done.path.read_text("utf-8").count("msgstr[") == forms
    again = update(place_of(app), code)
    assert again == done
    language = load(app).languages.get(code)
    assert language.gettext("In Python") == "In Python"


def test_a_catalogue_has_no_placeholders_and_keeps_what_translators_wrote(app: Path) -> None:
    path = update(place_of(app), "de").path
    text = path.read_text("utf-8")
    assert [line for line in text.split("\n\n")[0].splitlines() if ":" in line] == [
        '"Language: de\\n"',
        '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"',
        '"MIME-Version: 1.0\\n"',
        '"Content-Type: text/plain; charset=utf-8\\n"',
        '"Content-Transfer-Encoding: 8bit\\n"',
    ]
    path.write_text(text.replace('"Language:', '"Last-Translator: Ann <ann@example.org>\\n"\n"Language:'), "utf-8")
    update(place_of(app), "de")
    again = path.read_text("utf-8")
    assert "Ann <ann@example.org>" in again
    assert "ADDRESS" not in again
    update(place_of(app), "de")
    assert path.read_text("utf-8") == again


def test_arabic_forms_are_in_the_order_that_translators_know(app: Path) -> None:
    path = update(place_of(app), "ar").path
    text = path.read_text("utf-8")
    for number in range(6):
        text = text.replace(f'msgstr[{number}] ""', f'msgstr[{number}] "{number}"')
    path.write_text(text, "utf-8")
    language = load(app).languages.get("ar")
    assert [language.ngettext("{n} thing", "{n} things", n) for n in (0, 1, 2, 3, 10, 11, 99, 100, 102)] == list(
        "012334455"
    )


def test_the_command(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", str(app), "de", "fr"]) == 0
    assert "de.po: 6 texts, 6 of them not translated yet" in capsys.readouterr().out
    assert (app / "locales" / "fr.po").is_file()
    assert main(["translate", str(app), "xx"]) == 1
    assert "there is no language 'xx'" in capsys.readouterr().err


def test_what_cannot_be_read_says_where(app: Path) -> None:
    with pytest.raises(UnknownLanguage):
        update(place_of(app), "xx")
    (app / "A.html").write_text("\n{% if %}", "utf-8")
    with pytest.raises(ExperimentError, match=r"game/A\.html:2: "):
        update(place_of(app), "de")
