"""Nothing that the framework says to participants is missing in a catalogue, and no translation goes wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from promptgrimoire.authoring import form_texts, texts
from promptgrimoire.authoring.catalogue import forms_of, read_catalogue
from promptgrimoire.authoring.language import OWN_CATALOGUES, Languages
from promptgrimoire.authoring.templates import Templates
from promptgrimoire.authoring.translate_tag import texts_in
from promptgrimoire.web import failures

PACKAGE = OWN_CATALOGUES.parent
LANGUAGES = ["ar", "de", "es", "fr", "it", "ja", "pt", "zh"]
FOR_RESEARCHERS = {"start.html", "session.html", "multiview.html"}
CALLS = {"_", "gettext", "ngettext", "say"}
PLACES = re.compile(r"\{\w+\}|%\(\w+\)[sd]")
# Of WTForms, what no participant sees: mistakes of authors, and what its CSRF protection says.
NOT_SAID = ("Invalid field name", "CSRF", "Choices cannot be None", "Invalid Mac", "Invalid IP", "Invalid UUID")

Text = tuple[str, str | None]


def in_module(module: ModuleType) -> Iterator[Text]:
    """What a module of nothing but texts holds."""
    for name, value in vars(module).items():
        if name.startswith("__") or not name.isupper():
            continue
        if isinstance(value, str):
            yield value, None
        elif isinstance(value, tuple):
            yield value[0], value[1]
        else:
            yield from ((text, None) for text in value.values())


def in_templates() -> Iterator[Text]:
    templates = Templates(PACKAGE, PACKAGE, "app")
    for path in PACKAGE.rglob("templates/**/*.html"):
        if path.name not in FOR_RESEARCHERS:
            tree = templates.parsed(path.read_text("utf-8"), path.suffix)
            yield from ((text, plural) for _, text, plural in texts_in(tree))


def in_python() -> Iterator[Text]:
    for path in PACKAGE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            said = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name in CALLS and said and isinstance(call.args[0], ast.Constant):
                yield said[0], said[1] if name != "gettext" and len(said) > 1 else None


def of_failures() -> Iterator[Text]:
    """Pages for errors: the constants of a kind, and those made on the spot."""
    source = ast.parse(Path(failures.__file__).read_text("utf-8"))
    for call in ast.walk(source):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Plain":
            for one in call.args:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value, None


@cache
def of_wtforms() -> frozenset[Text]:
    return frozenset(_of_wtforms())


def _of_wtforms() -> Iterator[Text]:
    with (files("wtforms") / "locale" / "wtforms.pot").open("rb") as file:
        pot = read_po(file)
    for message in pot:
        if (
            message.id
            and not str(message.id).startswith(("'", *NOT_SAID))
            and not any(part in str(message.id) for part in NOT_SAID)
        ):
            yield (message.id, None) if isinstance(message.id, str) else (message.id[0], message.id[1])


@cache
def own() -> set[Text]:
    return {*in_module(texts), *in_module(form_texts), *in_templates(), *in_python(), *of_failures()}


@cache
def written(language: str) -> Catalog:
    with (OWN_CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, language, abort_invalid=True)


def lacking(wanted: Iterable[Text], *catalogues: Catalog) -> list[str]:
    lacks = []
    for text, plural in sorted(wanted, key=str):
        found = [one.get((text, plural) if plural is not None else text) or one.get(text) for one in catalogues]
        forms = [forms_of(one) for one in found if one is not None and not one.fuzzy]
        if not any(one and all(one) for one in forms):
            lacks.append(text)
    return lacks


def test_every_language_of_the_issue_is_there() -> None:
    assert sorted(path.stem for path in OWN_CATALOGUES.glob("*.po")) == LANGUAGES


def test_texts_are_found_where_they_stand() -> None:
    """If the search went blind, the test below would hold for an empty set."""
    assert {("Next", None), ("Skip to the content", None)} <= set(in_templates())
    assert ("The connection is back.", None) in set(in_module(texts))
    assert ("Nothing here", None) in set(of_failures())
    assert len(own()) > 60
    assert len(of_wtforms()) > 25


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language: str) -> None:
    assert lacking(own(), written(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_wtforms_says_is_there_too(language: str) -> None:
    with (files("wtforms") / "locale" / language / "LC_MESSAGES" / "wtforms.mo").open("rb") as file:
        theirs = read_mo(file)
    theirs.locale = Locale.parse(language)
    assert lacking(of_wtforms(), theirs, written(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_translated_that_nobody_says(language: str) -> None:
    said = {text for text, _ in (*own(), *of_wtforms())} | {"'%(value)s' is not a valid choice for this field."}
    there = {message.id if isinstance(message.id, str) else message.id[0] for message in written(language)} - {""}
    assert there - said == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_agree(language: str) -> None:
    for message in written(language):
        if not message.id:
            continue
        originals = [message.id] if isinstance(message.id, str) else [*message.id]
        translations = forms_of(message)
        most = {place for one in originals for place in PLACES.findall(one)}
        for number, translation in enumerate(translations):
            found = set(PLACES.findall(translation))
            assert found <= most, (message.id, translation)
            if len(translations) == 1 or number == len(translations) - 1:
                assert found == most, (message.id, translation)  # "one participant" may leave out its {n}


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_complete(language: str) -> None:
    catalogue = written(language)
    for message in catalogue:
        if message.id and not isinstance(message.id, str):
            assert len(forms_of(message)) == catalogue.num_plurals, message.id
    rule = read_catalogue(OWN_CATALOGUES / f"{language}.po").rule
    assert {rule(n) for n in range(200)} <= set(range(catalogue.num_plurals))


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_in_english(language: str) -> None:
    same = [one.id for one in written(language) if one.id and one.id == one.string and " " in str(one.id)]
    assert same == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_look_like_their_originals(language: str) -> None:
    """Whether they end a sentence, and that no space is left at an end."""
    ends = (".", "\u3002", ":", "\uff1a")
    for one in written(language):
        if not one.id:
            continue
        original = one.id if isinstance(one.id, str) else one.id[0]
        for translation in forms_of(one):
            assert translation == translation.strip(), original
            assert translation.endswith(ends) == original.endswith(ends), (original, translation)


def test_a_language_is_whole_with_its_plural_forms() -> None:
    languages = Languages()
    counts = (0, 1, 2, 5, 11, 100)
    said = {code: [languages.get(code).ngettext(*texts.WAIT_MISSING, n) for n in counts] for code in LANGUAGES}
    assert len(set(said["ar"])) == 6
    assert len(set(said["de"])) == 2
    assert len(set(said["ja"])) == 1
    assert said["fr"][0] == said["fr"][1]  # zéro est au singulier
