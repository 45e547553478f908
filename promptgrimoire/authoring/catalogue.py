"""Reads gettext catalogues (.po, .mo) through Babel, and says what is wrong with one.

Owns what of a catalogue is used: texts and plural forms, neither fuzzy ones nor those without a translation.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import babel
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import PoFileError, read_po

from promptgrimoire.errors import GrimoireError
from promptgrimoire.state.translation import PLACEHOLDER


class CatalogueError(GrimoireError):
    """A catalogue that cannot be read; says where and why."""

    def __init__(self, path: Path, line: int, text: str) -> None:
        super().__init__(f"{path.name}:{line}: {text}")
        self.path, self.line, self.text = path, line, text


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry whose translation would go wrong."""

    path: Path
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a file says. `rule` gives the number of the plural form for a count."""

    texts: dict[str, str]
    plurals: dict[str, tuple[str, ...]]
    rule: Callable[[int], int]
    problems: list[Problem] = field(default_factory=list)


def read_catalogue(path: Path) -> Catalogue:
    """A .po file, named by its language: de.po, pt_BR.po. Raises CatalogueError where it cannot be read."""
    try:
        locale = Locale.parse(path.stem.replace("-", "_"))
    except (babel.UnknownLocaleError, ValueError):
        text = f"there is no language {path.stem!r}; name the file by a code of a language, as in de.po"
        raise CatalogueError(path, 1, text) from None
    try:
        with path.open("rb") as file:
            catalog = read_po(file, locale, abort_invalid=True)
    except PoFileError as problem:
        raise CatalogueError(path, problem.lineno + 1, str(problem).rpartition(" on line")[0] or str(problem)) from None
    except UnicodeDecodeError:
        raise CatalogueError(path, 1, "is not UTF-8 text; save it with the encoding UTF-8") from None
    found = _catalogue(catalog)
    for message in catalog:
        if message.id and not message.fuzzy:
            found.problems.extend(_problems(path, message))
    return found


def read_compiled(path: Path) -> Catalogue:
    """A .mo file."""
    with path.open("rb") as file:
        return _catalogue(read_mo(file))


def _catalogue(catalog: Catalog) -> Catalogue:
    texts: dict[str, str] = {}
    plurals: dict[str, tuple[str, ...]] = {}
    for message in catalog:
        if not message.id or message.fuzzy or message.context:
            continue
        forms = forms_of(message)
        if not forms or not all(forms):
            continue
        if isinstance(message.id, str):
            texts[message.id] = forms[0]
        else:
            plurals[message.id[0]] = forms
    return Catalogue(texts, plurals, gettext.c2py(catalog.plural_expr))


def forms_of(message: Message) -> tuple[str, ...]:
    """The translation: one text, or its plural forms."""
    found = message.string
    return (found,) if isinstance(found, str) else tuple(found or ())


def _problems(path: Path, message: Message) -> list[Problem]:
    """Placeholders that the text does not have: they would be shown as they are."""
    originals = [message.id] if isinstance(message.id, str) else [*message.id]
    allowed = {name for text in originals for name in PLACEHOLDER.findall(text)}
    problems = []
    for text in filter(None, forms_of(message)):
        for name in sorted(set(PLACEHOLDER.findall(text)) - allowed):
            has = f"it has {', '.join(f'{{{one}}}' for one in sorted(allowed))}" if allowed else "it has none"
            problems.append(Problem(path, message.lineno or 1, f"{originals[0]!r} has no {{{name}}}; {has}"))
    return problems
