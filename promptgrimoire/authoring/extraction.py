"""What there is to translate in an app, and its catalogues kept up to date with it.

Owns how texts are found: in Python, in templates, in the scripts of templates, in docstrings that are pages. Reads
sources only, and imports nothing; writes nothing but .po files.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import jinja2
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from promptgrimoire.authoring.catalogue import forms_of
from promptgrimoire.authoring.language import FOLDER, locale_of
from promptgrimoire.authoring.loading import Place, source_files
from promptgrimoire.authoring.templates import Templates
from promptgrimoire.authoring.translate_tag import texts_in, texts_of_scripts
from promptgrimoire.errors import ExperimentError

_WIDTH = 100
# Babel's rule counts Arabic's forms in an order of its own.
_ARABIC = "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"

_PLACEHOLDER = re.compile(  # what Babel writes in the header by itself
    rb'\n"(?:[^"]*(?:EMAIL@ADDRESS|YEAR-MO-DA|<LL@li\.org>)[^"]*|Project-Id-Version: [^"]* VERSION\\n'
    rb'|POT-Creation-Date: [^"]*|Generated-By: Babel[^"]*)"(?=\n|$)'
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of an author, with its plural where it has one; "file:line" as messages show it."""

    text: str
    plural: str | None
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of a catalogue."""

    path: Path
    texts: int
    untranslated: int


def texts_of(place: Place) -> list[Text]:
    """Everything that an app wants translated, file by file. Raises ExperimentError for what cannot be read."""
    templates = Templates(place.folder, place.project, place.name)
    found: list[Text] = []
    for path in source_files(place):
        if path.suffix not in (".py", ".html", ".md") or path.stem.lower() == "readme":
            continue  # what a README says about templates is none
        shown = place.shown(path)
        try:
            source = path.read_text("utf-8")
            parts = _in_python(source, templates) if path.suffix == ".py" else _in_page(source, path.suffix, templates)
            found += [Text(text, plural, shown, line) for line, text, plural in parts]
        except (SyntaxError, ValueError, jinja2.TemplateSyntaxError) as problem:
            line = getattr(problem, "lineno", None) or 1
            raise ExperimentError([f"{shown}:{line}: {problem}"]) from problem
    return found


def update(place: Place, code: str) -> Updated:
    """Bring `locales/CODE.po` of the app up to date: translations stay, what nobody says any more becomes a comment.

    Raises UnknownLanguage and ExperimentError.
    """
    locale = locale_of(code)
    path = place.folder / FOLDER / f"{locale}.po"
    wanted = Catalog(locale=locale)
    for one in texts_of(place):
        wanted.add(one.text if one.plural is None else (one.text, one.plural), locations=[(one.file, one.line)])
    header = f"# {locale.english_name} texts of {place.name}."
    catalogue = Catalog(locale=locale, fuzzy=False, project=place.name, header_comment=header)
    if path.is_file():
        with path.open("rb") as file:
            catalogue = read_po(file, locale)
    elif locale.language == "ar":
        catalogue.mime_headers = [("Plural-Forms", _ARABIC)]
    catalogue.update(wanted, no_fuzzy_matching=True, update_header_comment=False)
    path.parent.mkdir(exist_ok=True)
    written = BytesIO()
    write_po(written, catalogue, width=_WIDTH)
    path.write_bytes(_without_placeholders(written.getvalue()))
    messages = [message for message in catalogue if message.id]
    return Updated(path, len(messages), sum(1 for message in messages if not all(forms_of(message) or [""])))


def _without_placeholders(catalogue: bytes) -> bytes:
    """Without what nobody has filled in, and the time of writing, which would be a change in every run."""
    header, gap, texts = catalogue.partition(b"\n\n")
    return _PLACEHOLDER.sub(b"", header) + gap + texts


def _in_python(source: str, templates: Templates) -> Iterator[tuple[int, str, str | None]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            said = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if said and len(said) == len(node.args):
                yield node.lineno, said[0], said[1] if len(said) > 1 else None
        elif isinstance(node, ast.ClassDef):
            docstring = inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
            if docstring.startswith("# "):
                for line, text, plural in _in_page(docstring, ".md", templates):
                    yield node.body[0].lineno + line - 1, text, plural


def _in_page(source: str, suffix: str, templates: Templates) -> Iterator[tuple[int, str, str | None]]:
    yield from texts_in(templates.parsed(source, suffix))
    for line, text in texts_of_scripts(source):
        yield line, text, None
