"""Languages of an author's experiment: catalogues, `_()`, `{% translate %}`, numbers and dates, and what goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from string import ascii_letters
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup, escape

from promptgrimoire import RadioField, StringField, _
from promptgrimoire.authoring.experiment import load
from promptgrimoire.authoring.filters import fmtdate, fmtnum, to
from promptgrimoire.authoring.forms import build_form
from promptgrimoire.authoring.language import Language, Languages, UnknownLanguage
from promptgrimoire.authoring.study import Study, compose
from promptgrimoire.authoring.translate_tag import language_names
from promptgrimoire.context import Activity, current
from promptgrimoire.errors import AuthorError, ExperimentError
from promptgrimoire.state.browser_values import to_browser
from promptgrimoire.state.records import Player
from promptgrimoire.state.translation import LaterText
from tests.authoring.conftest import Loaded, Write

HEAD = "from promptgrimoire import *\n"
PAGE = "class A(Page):\n    pass\n\npage_order = [A]\n"
GERMAN = """
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8"

msgid "Hello {name}"
msgstr "Hallo {name}"

msgid "{n} point"
msgid_plural "{n} points"
msgstr[0] "{n} Punkt"
msgstr[1] "{n} Punkte"

msgid "You are <b>{player_name}</b>."
msgstr "Sie sind <b>{player_name}</b>."

msgid "Take *care*, {name}."
msgstr "Geben Sie *acht*, {name}."

msgid "a < b"
msgstr "a < b & c"

msgid "Your age"
msgstr "Ihr Alter"

msgid "Next"
msgstr "Fertig"
"""
App = Callable[..., Any]


@pytest.fixture
def app(write: Write) -> App:
    """`app(body)`: an app whose page has this body, with a German catalogue; gives its loaded version."""

    def load_app(body: str = "", code: str = PAGE, po: str = GERMAN, file: str = "A.html", **more: str) -> Any:
        page = body if file.endswith(".md") else f'{{% extends "Base.html" %}}{{% block main %}}{body}{{% endblock %}}'
        files = {"__init__.py": HEAD + code, file: page, "locales/de.po": po}
        return load(write("game", {**files, **{name.replace("__", "/"): text for name, text in more.items()}}))

    return load_app


def rendered(app: Any, code: str = "de", **names: Any) -> str:
    language = app.languages.get(code)
    context = {"page_config": {"stay": 1}, "assets": SimpleNamespace(style="", main="", modules=[], early="")}
    always = {"player": SimpleNamespace(name="<Ann>"), "session": None, "group": None, "app": "game", "C": None}
    template = app.pages["game/A"].template
    html: str = template.render({**context, **always, **language_names(language), **names})
    return html


def main_of(html: str) -> str:
    return html.split('tabindex="-1">')[1].split("</main>")[0].strip()


class _Speaking:
    """Services that say what is spoken."""

    def __init__(self, language: Language) -> None:
        self.spoken = language
        self.asked: list[Any] = []

    def language(self, record: Any, app: str) -> Language:
        self.asked.append(record)
        return self.spoken


@pytest.fixture
def speaking() -> Any:
    """`speaking(language)`: author code runs for somebody who speaks it."""
    tokens = []

    def speak(language: Language) -> _Speaking:
        services: Any = _Speaking(language)
        tokens.append(current.set(Activity(services, "ann", "game", 1, "test")))
        return services  # type: ignore[no-any-return]

    yield speak
    for token in reversed(tokens):
        current.reset(token)


# ---------------------------------------------------------------- templates


def test_texts_of_a_template(app: App) -> None:
    body = '{{ _("Hello {name}", name=player.name) }}|{{ _("{n} point", "{n} points", n=1) }}|'
    body += '{{ _("{n} point", "{n} points", n=5) }}|{{ _("not there") }}'
    found = app(body)
    assert main_of(rendered(found)) == "Hallo &lt;Ann&gt;|1 Punkt|5 Punkte|not there"
    assert main_of(rendered(found, "en")) == "Hello &lt;Ann&gt;|1 point|5 points|not there"


def test_a_text_is_text_and_a_block_is_html(app: App) -> None:
    body = '{{ _("a < b") }}|{% translate %}\n  You are\n  <b>{{ player.name }}</b>.\n{% endtranslate %}'
    assert main_of(rendered(app(body))) == "a &lt; b &amp; c|Sie sind <b>&lt;Ann&gt;</b>."


@pytest.mark.parametrize(
    "block",
    [
        "{% translate %}{{ n }} point{% pluralize %}{{ n }} points{% endtranslate %}",
        "{% translate n=len(items) %}{{ n }} point{% pluralize %}{{ n }} points{% endtranslate %}",
        "{% translate n %}{{ n }} point{% pluralize n %}{{ n }} points{% endtranslate %}",
        "{% trans n=n %}{n} point{% pluralize %}{n} points{% endtrans %}",
    ],
)
def test_plural_of_a_block(app: App, block: str) -> None:
    found = app(block)
    assert main_of(rendered(found, n=3, items="abc")) == "3 Punkte"
    assert main_of(rendered(found, n=1, items="a")) == "1 Punkt"
    assert main_of(rendered(found, "fr", n=1, items="a")) == "1 point"


def test_values_of_blocks_have_names(app: App) -> None:
    body = "{% translate %}{{ a.b }} {{ a['c'] }} {{ a.b|upper }} {{ 1 + 1 }} {{ f(2) }}{% endtranslate %}"
    names: dict[str, Any] = {"a": {"b": "x", "c": "y"}, "f": lambda n: n}
    assert main_of(rendered(app(body), **names)) == "x y X 2 2"


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("{% translate %}a{% if x %}b{% endif %}{% endtranslate %}", "holds no other tags"),
        ("{% translate %}a", "holds no other tags"),
        ("{% translate %}a{% pluralize %}b{% endtranslate %}", "which number decides"),
        ("{% translate n=1 %}a{% pluralize m %}b{% endtranslate %}", "has no {{ m }}"),
        ("{% translate n=1 %}a{% pluralize %}b{% pluralize %}c{% endtranslate %}", "only one"),
    ],
)
def test_wrong_blocks_fail_while_loading(app: App, block: str, problem: str) -> None:
    with pytest.raises(ExperimentError, match=r"game/A\.html:1: .*") as caught:
        app(block)
    assert problem in str(caught.value)


def test_markdown_stays_markdown_and_values_stay_values(app: App) -> None:
    found = app("# Hi\n\n{% translate %}Take *care*, {{ name }}.{% endtranslate %}\n", file="A.md")
    assert "<p>Geben Sie <em>acht</em>, *&lt;Ann&gt;*.</p>" in rendered(found, name="*<Ann>*")
    assert "<p>Take <em>care</em>, *&lt;Ann&gt;*.</p>" in rendered(found, "en", name="*<Ann>*")


def test_macros_without_context_speak_too(app: App, speaking: Any) -> None:
    found = app(
        '{% import "m.html" as m %}{{ m.hi() }}', **{"m.html": '{% macro hi() %}{{ _("Your age") }}{% endmacro %}'}
    )
    speaking(found.languages.get("de"))
    assert main_of(rendered(found)) == "Ihr Alter"


def test_language_and_direction_of_the_page(app: App) -> None:
    found = app("{{ language }}")
    assert '<html lang="de" dir="ltr">' in rendered(found)
    assert '<html lang="ar" dir="rtl">' in rendered(found, "ar")
    assert '<html lang="pt-BR" dir="ltr">' in rendered(found, "pt_BR")
    assert '<html lang="ar" dir="rtl">' in rendered(found, "ar", language="English"), "templatevars may say language"
    assert main_of(rendered(found, "pt-BR")) == "pt-BR"


def test_texts_of_scripts_travel_with_the_page(app: App) -> None:
    found = app('<script>alert(_("Your age")); I_("Next"); _(\'Hello {name}\', {name}); {{ _("a < b") }}</script>')
    texts = found.pages["game/A"].template.script_texts
    assert texts == {"Your age", "Hello {name}"}
    assert found.languages.get("de").known(texts) == {"Your age": "Ihr Alter", "Hello {name}": "Hallo {name}"}
    assert found.languages.get("fr").known(texts) == {}


# ---------------------------------------------------------------- Python


def test_texts_of_python(app: App, speaking: Any) -> None:
    speaking(app().languages.get("de"))
    assert _("Hello {name}", name="Ann") == "Hallo Ann"
    assert _("{n} point", "{n} points", n=2) == "2 Punkte"
    assert _("{n} {other}", n=1) == "1 {other}"
    assert _("not there") == "not there"
    assert (_.score > 3)._ask(SimpleNamespace(score=4)), "it is a condition as well"


def test_a_text_for_somebody_else(app: App, speaking: Any) -> None:
    services = speaking(app().languages.get("de"))
    bo: Any = SimpleNamespace(name="bo")
    assert _("Next", player=bo) == "Fertig"
    assert services.asked == [bo]


def test_a_text_at_the_top_of_a_module_waits_for_its_reader(app: App, speaking: Any) -> None:
    label = _("Your age")
    points = _("{n} point", "{n} points", n=3)
    assert isinstance(label, LaterText)
    assert str(label) == "Your age"
    speaking(app().languages.get("de"))
    assert (str(label), f"{label}!", f"{label:>10}") == ("Ihr Alter", "Ihr Alter!", " Ihr Alter")
    assert str(points) == "3 Punkte"
    assert escape(_("a < b")) == Markup("a &lt; b &amp; c")
    assert (label.source, label == "Your age", {"Your age": 1}[label]) == ("Your age", True, 1), "data is the same"


def test_a_text_of_a_module_reaches_the_browser_in_its_readers_language(app: App, speaking: Any) -> None:
    label = _("Your age")
    assert to_browser({"label": label}) == b'{"label":"Your age"}'
    speaking(app().languages.get("de"))
    assert to_browser({"label": label, "more": [label]}) == b'{"label":"Ihr Alter","more":["Ihr Alter"]}'


def test_a_form_is_read_in_german_and_stored_the_same_for_all(app: App, speaking: Any) -> None:
    fields = {
        "age": RadioField(label=_("Your age"), choices=[_("Next"), ("b", _("a < b"))]),
        "text": StringField(label=_("not there")),
    }
    german = app().languages.get("de")
    speaking(german)
    form = build_form(fields, language=german, defaults={}, order=None)
    html = str(form.context()["fields"]())
    assert "Ihr Alter" in html
    assert "Fertig" in html
    assert "a &lt; b &amp; c" in html
    assert "Your age" not in html
    checked = form.check({"age": ["Next"], "text": [""]}, {})
    assert checked.values["age"] == "Next"
    assert "Bitte beantworten Sie diese Frage." in str(checked.errors)


# ---------------------------------------------------------------- numbers and dates


@pytest.mark.parametrize(
    ("code", "number", "money", "plain", "day"),
    [
        ("en", "\u22121,234.50", "\u2212€1,234.50", "-1234.5", "May 1, 2026"),
        ("de", "\u22121.234,50", "\u22121.234,50\u00a0€", "-1234,5", "01.05.2026"),
        ("fr", "\u22121\u202f234,50", "\u22121\u202f234,50\u00a0€", "-1234,5", "1 mai 2026"),
        ("pt-BR", "\u22121.234,50", "\u2212€\u00a01.234,50", "-1234,5", "1 de mai. de 2026"),
        ("ja", "\u22121,234.50", "\u2212€1,234.50", "-1234.5", "2026/05/01"),
        ("ar", "\u200e\u22121,234.50", "\u200f\u200e\u22121,234.50\u00a0€", "\u200e-1234.5", "01\u200f/05\u200f/2026"),
        ("de-CH", "\u22121\u2019234.50", "\u2212EUR\u00a01\u2019234.50", "-1234.5", "01.05.2026"),
    ],
)
def test_numbers_as_they_are_written_there(
    speaking: Any, code: str, number: str, money: str, plain: str, day: str
) -> None:
    speaking(Languages().get(code))
    assert fmtnum(-1234.5) == number
    assert fmtnum(Decimal("-1234.5"), currency="EUR") == money
    assert to(-1234.5, 1) == plain
    assert fmtdate(date(2026, 5, 1)) == day


def test_what_is_given_wins(speaking: Any) -> None:
    speaking(Languages().get("de"))
    assert fmtnum(1234.5, sep=" ") == "1 234,50"
    assert fmtnum(1234.5, decsep=".") == "1.234.50"
    assert fmtnum(1234.5, pre="$", places=0) == "$1.235"
    assert fmtnum(5, currency="JPY") == "5\u00a0¥"
    assert fmtnum(5, currency="JPY", places=2) == "5,00\u00a0¥"
    assert fmtnum(2.005, currency="EUR") == "2,01\u00a0€"
    assert fmtnum(0) == "0,00"


def test_dates(speaking: Any) -> None:
    speaking(Languages().get("de"))
    assert fmtdate(datetime(2026, 5, 1, 14, 5)) == "01.05.2026, 14:05:00"
    assert fmtdate(time(14, 5), "short") == "14:05"
    assert fmtdate(0, "short") == "01.01.70, 00:00"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: fmtnum(1, currency="EURO"), "expected the code of a currency"),
        (lambda: fmtnum(1, "€", currency="EUR"), "leave out pre"),
        (lambda: fmtdate("today"), "expected a date"),  # type: ignore[arg-type]
        (lambda: fmtdate(0, "tiny"), "expected one of short"),  # type: ignore[arg-type]
    ],
)
def test_wrong_numbers_say_so(call: Callable[[], str], problem: str) -> None:
    with pytest.raises(AuthorError, match=problem):
        call()


def test_programs_get_a_point(app: App) -> None:
    body = '{{ x|to(1) }}<b style="width: {{ x|to(1) }}%" data-x={{ x|to }}>{{ x|to(1) }}</b><script>f({{ x|to(1) }})'
    body += "</script>{{ x|fmtnum }} {{ fmtnum(x, currency='EUR') }} {{ d|fmtdate('long') }}"
    shown = main_of(rendered(app(body), x=2.25, d=date(2026, 5, 1)))
    assert shown == ('2,3<b style="width: 2.3%" data-x=2.25>2,3</b><script>f(2.3)</script>2,25 2,25\u00a0€ 1. Mai 2026')


# ---------------------------------------------------------------- catalogues


def test_an_authors_catalogue_wins(app: App) -> None:
    found = app(po=GERMAN)
    assert found.languages.get("de").gettext("Next") == "Fertig"
    assert found.languages.get("de").gettext("Close") == "Schließen"
    assert found.languages.get("fr").gettext("Next") == "Suivant"


def test_the_apps_catalogue_counts_more_than_the_projects_and_a_country_more_than_its_language(write: Write) -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8"\n\n'
    po = header + 'msgid "x"\nmsgstr "{}"\n\nmsgid "{}"\nmsgstr "da"\n'
    write("locales", {"de.po": po.format("Projekt", "y"), "en.po": po.format("eks", "y")})
    files = {"__init__.py": f'{HEAD}class A(Page):\n    """# A"""\n\npage_order = [A]\n'}
    found = load(
        write("game", {**files, "locales/de.po": po.format("App", "z"), "locales/de_CH.po": po.format("CH", "w")})
    )
    german, swiss = found.languages.get("de"), found.languages.get("de-CH")
    assert [german.gettext(text) for text in "xyzw"] == ["App", "da", "da", "w"]
    assert [swiss.gettext(text) for text in "xyzw"] == ["CH", "da", "da", "da"]
    assert swiss.gettext("Close") == "Schließen"
    assert found.languages.get("en").gettext("x") == "eks"


def test_an_edited_catalogue_makes_a_new_version(app: App) -> None:
    first = app()
    assert any(path.name == "de.po" for path in first.source_files())
    assert app(po=GERMAN.replace("Fertig", "Los")).digest != first.digest


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (
            "locales/de.po",
            'msgid "a {x}"\nmsgstr "b {y}"\n',
            r"game/locales/de\.po:1: 'a \{x\}' has no \{y\}; it has \{x\}",
        ),
        ("locales/de.po", 'msgid "a"\nmsgstr "b {y}"\n', r"'a' has no \{y\}; it has none"),
        ("locales/xx.po", 'msgid "a"\nmsgstr "b"\n', r"game/locales/xx\.po:1: there is no language 'xx'"),
        ("locales/de.po", 'msgid "a"\nmsgstr "b"\nnonsense\n', r"game/locales/de\.po:3: "),
    ],
)
def test_wrong_catalogues_fail_while_loading(app: App, file: str, text: str, problem: str) -> None:
    with pytest.raises(ExperimentError, match=problem):
        app(**{file: text})


@pytest.mark.parametrize("wrong", ['_(f"Hi {x}")', '_("Hi %s" % x)', '_("Hi {}".format(x))'])
def test_texts_that_no_catalogue_can_have_fail_while_loading(app: App, wrong: str) -> None:
    with pytest.raises(ExperimentError, match=r"game/__init__\.py:3: a text with values in it is in no catalogue"):
        app(code=f"def text(x):\n    return {wrong}\n\n{PAGE}")


@pytest.mark.parametrize("code", ["", "x", "english", "de_", "d-e", "../de", "tlhx", 5, None, "de\n"])
def test_what_is_no_language(code: Any) -> None:
    with pytest.raises(UnknownLanguage):
        Languages().get(code)


def test_codes_of_participants_fill_no_memory(app: App) -> None:
    """`return player.params["lang"]` gives whatever somebody writes into the address."""
    found = app(code=HOOK)
    whole = study(found)
    countries = [f"{first}{second}" for first in ascii_letters for second in ascii_letters]
    for country in countries:
        found.module.answer = f"de-{country}"
        whole.language_of(ann())
    for attribute in ("_aliases", "_spoken", "_complained"):
        assert len(getattr(found.languages, attribute)) <= 200, attribute
    assert len(found.languages._loaded) <= 200


# ---------------------------------------------------------------- who speaks what


class Ann(Player):
    """A player outside of any session and app."""

    app = ""


def ann() -> Any:
    return object.__new__(Ann)


def study(app: Any, language: str = "en", setting: str = "") -> Study:
    settings = {"language": setting} if setting else {}
    return Study(app.name, app.title, app.description, (app,), settings, language)


def test_the_study_says_what_is_spoken_where_no_hook_does(app: App) -> None:
    found = app()
    assert compose(found.name, [found]).language_of(ann()).tag == "en"
    assert study(found, "de").language_of(ann()).tag == "de"
    assert study(found, "de", "fr").language_of(ann()).tag == "fr"


HOOK = "def language(player):\n    return answer\n\nanswer = None\n\n" + PAGE


def test_the_hook_decides(app: App) -> None:
    found = app(code=HOOK)
    whole = study(found, "fr")
    assert whole.language_of(ann()).tag == "fr", "None is the study's"
    found.module.answer = "de"
    assert whole.language_of(ann()).tag == "de"
    assert whole.language_of(None).tag == "fr", "a session has no player"
    found.module.answer = "pt-BR"
    assert whole.language_of(ann()).tag == "pt-BR"


def test_one_hook_speaks_for_all_apps(write: Write) -> None:
    page = 'class A(Page):\n    """# A"""\n\npage_order = [A]\n'
    first = load(write("first", {"__init__.py": HEAD + page}))
    second = load(write("second", {"__init__.py": f"{HEAD}def language(player):\n    return 'de'\n\n{page}"}))
    third = load(write("third", {"__init__.py": f"{HEAD}def language(player):\n    return 'fr'\n\n{page}"}))
    whole = Study("all", "All", "", (first, second, third))
    assert [whole.language_of(ann(), app).tag for app in ("first", "second", "third", "")] == ["de", "de", "fr", "de"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("klingon", "expected the code of a language, as in 'de' or 'pt-BR', found 'klingon'"),
        ("tlh", "there is no language 'tlh'"),
        ("nl", "there are no texts in 'nl'; add locales/nl.po"),
        (5, "found 5"),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops"),
    ],
)
def test_nonsense_is_the_studys_language_and_logged_once(
    app: App, caplog: pytest.LogCaptureFixture, answer: Any, problem: str
) -> None:
    found = app(
        code="def language(player):\n    if isinstance(answer, Exception):\n        raise answer\n"
        "    return answer\n\nanswer = None\n\n" + PAGE
    )
    found.module.answer = answer
    whole = study(found, "de")
    with caplog.at_level(logging.WARNING):
        assert [whole.language_of(ann()).tag for _ in range(3)] == ["de"] * 3
    (said,) = caplog.messages
    assert said.startswith("game/__init__.py:2: language: ")
    assert problem in said
    assert "'de' is used instead" in said


def test_an_unknown_setting_is_english_and_logged_once(app: App, caplog: pytest.LogCaptureFixture) -> None:
    found = app()
    with caplog.at_level(logging.WARNING):
        whole = study(found, "klingon")
        assert whole.language_of(None).tag == whole.language_of(ann()).tag == "en"
    assert len(caplog.messages) == 1


def test_a_language_without_texts_is_spoken_where_a_study_asks_for_it(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """A study that is written in Dutch is Dutch, but for the framework's words."""
    found = app()
    with caplog.at_level(logging.WARNING):
        whole = study(found, "nl")
        assert [whole.language_of(ann()).tag for _ in range(2)] == ["nl", "nl"]
    assert "the framework has no texts in 'nl'; add locales/nl.po" in "".join(caplog.messages)
    assert len(caplog.messages) == 1


def test_a_hook_that_translates_does_not_go_round_in_circles(app: App, speaking: Any) -> None:
    found = app(code="def language(player):\n    said.append(str(_('Next')))\n    return 'de'\n\nsaid = []\n" + PAGE)
    whole = study(found, "fr")
    services = speaking(found.languages.get("fr"))
    services.language = whole.language_of
    running = current.get()
    assert running is not None
    running.record = ann()
    assert whole.language_of(ann(), "game").tag == "de"
    assert found.module.said == ["Suivant"]


def test_the_hook_is_not_async(app: App) -> None:
    with pytest.raises(ExperimentError, match="language: cannot be async"):
        app(code="async def language(player):\n    return 'de'\n\n" + PAGE)


def test_languages_are_loaded_when_they_are_needed(loaded: Loaded, tmp_path: Path) -> None:
    found = loaded(HEAD + 'class A(Page):\n    """# A"""\n\npage_order = [A]\n')
    assert found.languages._loaded == {}
    assert found.languages.get("de") is found.languages.get("de")
    assert list(found.languages._loaded) == ["de"]
