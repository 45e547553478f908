"""A project: the folder around apps, with `grimoire.toml`, or `grimoire.py` where it must be computed.

Owns what may stand in them, and how a mistake in them reads: file, line, mend. Which apps there are and whether they
load is `runtime.versions`'; `[server]` is `promptgrimoire.settings`'.
"""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from promptgrimoire.authoring.language import UnknownLanguage, locale_of
from promptgrimoire.authoring.loading import ImportFailed, Place, import_fresh
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.authoring.source import Source
from promptgrimoire.authoring.vocabulary import near_miss
from promptgrimoire.errors import ExperimentError, NotStorable
from promptgrimoire.settings import FILE, SettingsError, line_of, read_toml
from promptgrimoire.state.values import encode

COMPUTED = "grimoire.py"
SECRETS = "secrets.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_Table = TypeVar("_Table", bound=msgspec.Struct)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """`[configs.full]`: apps in the order in which players meet them, and the settings of sessions of it."""

    name: str = ""
    apps: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    settings: dict[str, Any] = {}
    language: str = ""
    where: str = ""  # "grimoire.toml:3", of `apps`


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """`[rooms.lab]`: a link that stays the same from session to session."""

    name: str = ""
    title: str = ""
    config: str = ""
    labels: tuple[str, ...] | str = ()  # or the name of a file with one label per line
    pattern: str = ""  # a regular expression that labels must match as a whole
    capacity: int = 0  # 0: no limit
    open: bool = True


class Admin(msgspec.Struct, frozen=True, kw_only=True):
    """`[admins.alice]`: who may sign in."""

    name: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Admin({self.name!r})"


@dataclass(frozen=True, slots=True)
class Project:
    """What the files of a project say. Without files there are no configs: each app is one by itself."""

    folder: Path
    configs: Mapping[str, Config] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)  # of sessions of every config
    rooms: Mapping[str, Room] = field(default_factory=dict)
    admins: Mapping[str, Admin] = field(default_factory=dict)
    language: str = ""


# What an example of each looks like, for messages.
_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "configs": '[configs.full]\n    apps = ["instructions", "market"]',
        "settings": "[settings]\n    rate = 0.1",
        "rooms": '[rooms.lab]\n    config = "full"',
        "admins": '[admins.alice]\n    password = "…"',
        "language": 'language = "de"',
        "secrets": '[secrets]\n    OPENAI_API_KEY = "…"',
        "apps": 'apps = ["instructions", "market"]',
    }
)
_TABLES: Mapping[str, type[msgspec.Struct]] = MappingProxyType({"configs": Config, "rooms": Room, "admins": Admin})
_SECTIONS = ("configs", "settings", "rooms", "admins", "language", "secrets")
_FILLED_IN = frozenset(("name", "where"))  # fields of ours that nobody writes


def read_project(folder: Path, secrets: Secrets | None = None) -> Project:
    """The project in a folder. The secrets of its files go to `secrets` and nowhere else.

    Raises ExperimentError with every problem that was found, each as "file:line: what, and the mend".
    """
    secrets = secrets or Secrets()
    reader = _Reader(folder)
    content = reader.toml(folder / FILE)
    for name in content:
        if name not in (*_SECTIONS, "server"):
            reader.unknown(name, [name], (*_SECTIONS, "server"))
    values = reader.secrets(content.pop("secrets", {}))
    secrets.replace(values)
    content = {name: value for name, value in content.items() if name in _SECTIONS}
    if (folder / COMPUTED).is_file():
        with secrets.within_reach(COMPUTED):
            content = reader.computed(folder / COMPUTED, content)
    project = Project(
        folder=folder,
        configs=reader.tables("configs", Config, content),
        settings=reader.settings(content.get("settings", {}), ["settings"]),
        rooms=reader.tables("rooms", Room, content),
        admins=reader.tables("admins", Admin, content),
        language=reader.language(content.get("language", ""), ["language"]),
    )
    reader.check(project)
    if reader.problems:
        raise ExperimentError(reader.problems)
    return project


class _Reader:
    """Reads one project, gathers its problems, and knows on which line of which file something stands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.problems: list[str] = []
        self._text = ""
        self._source: Source | None = None
        self._wrong: set[tuple[str, ...]] = set()
        self._from_source: set[tuple[str, ...]] = set()  # sections, and entries of sections, of grimoire.py

    # ---------------------------------------------------------------- files

    def toml(self, path: Path) -> dict[str, Any]:
        if not path.is_file():
            return {}
        try:
            text, content = read_toml(path)
        except SettingsError as problem:
            raise ExperimentError([str(problem)]) from problem
        if path.name == FILE:
            self._text = text
        return content

    def computed(self, path: Path, content: dict[str, Any]) -> dict[str, Any]:
        """What grimoire.py defines, put together with what stands in grimoire.toml."""
        place = Place(path, path.stem, path, self._folder, self._folder, False)
        try:
            self._source = Source(path, path.name)
            module = import_fresh(place)
        except (SyntaxError, ValueError) as problem:
            line = getattr(problem, "lineno", None) or 1
            self.problems.append(f"{path.name}:{line}: {type(problem).__name__}: {problem}")
            return content
        except ImportFailed as failed:
            error = failed.problem
            self.problems.append(f"{place.shown(failed.file)}:{failed.line}: {type(error).__name__}: {error}")
            return content
        for name, line, _ in self._source.names():
            near = near_miss(name, _SECTIONS) if name not in _SECTIONS else None
            if near is not None and not self._source.defines(near):
                self.problems.append(f"{path.name}:{line}: {name}: did you mean '{near}'?")
        if self._source.defines("secrets"):
            line = self._source.line("secrets")
            self.problems.append(f"{path.name}:{line}: secrets: source code is no place for them; use {SECRETS}")
        found = {name: getattr(module, name) for name in _SECTIONS if self._source.defines(name) and name != "secrets"}
        return self._together(content, found)

    def _together(self, content: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
        whole = dict(content)
        for name, value in found.items():
            self._from_source.add((name,))
            there = content.get(name)
            if isinstance(there, dict) and isinstance(value, Mapping):
                for key in value:
                    self._from_source.add((name, str(key)))
                    if key in there:
                        self.error([name, str(key)], f"stands in {FILE} too; write it in one of them")
                whole[name] = {**there, **value}
                self._from_source.discard((name,))
            elif there is not None:
                self.error([name], f"stands in {FILE} too; write it in one of them")
            else:
                whole[name] = dict(value) if isinstance(value, Mapping) else value
        return whole

    # ---------------------------------------------------------------- problems

    def where(self, keys: list[str]) -> str:
        """File and line of what these keys lead to: ["configs", "full", "apps"]."""
        if self._source is not None and self._from_source & {tuple(keys[:1]), tuple(keys[:2])}:
            return f"{COMPUTED}:{self._source.line(keys[0])}"
        return f"{FILE}:{line_of(self._text, keys)}"

    def error(self, keys: list[str], text: str) -> None:
        self.problems.append(f"{self.where(keys)}: {'.'.join(keys)}: {text}")

    def unknown(self, name: str, keys: list[str], known: tuple[str, ...]) -> None:
        near = near_miss(name, known) or next(iter(difflib.get_close_matches(name, known, 1)), None)
        self.error(keys, f"did you mean {near!r}?" if near else f"there is no such name; there are {', '.join(known)}")

    # ---------------------------------------------------------------- sections

    def tables(self, section: str, kind: type[_Table], content: Mapping[str, Any]) -> dict[str, _Table]:
        """`[configs.…]`, `[rooms.…]`, `[admins.…]`."""
        found = content.get(section, {})
        if not isinstance(found, Mapping):
            self.error([section], f"expected tables, as in\n    {_EXAMPLES[section]}")
            return {}
        tables = {}
        for name, table in found.items():
            keys = [section, str(name)]
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                self.error(keys, "is no name; it stands in links: use letters, digits, _ and -")
            elif not isinstance(table, Mapping):
                self.error(keys, f"expected a table, as in\n    {_EXAMPLES[section]}")
            else:
                tables[name] = self._table(kind, table, keys)
        return tables

    def _table(self, kind: type[_Table], table: Mapping[str, Any], keys: list[str]) -> _Table:
        known = tuple(name for name in kind.__struct_fields__ if name not in _FILLED_IN)
        types = typing.get_type_hints(kind)
        values: dict[str, Any] = {}
        for name, value in table.items():
            place = [*keys, str(name)]
            if name not in known:
                self.unknown(str(name), place, known)
            elif name == "settings":
                values[name] = self.settings(value, place)
            elif name == "language":
                values[name] = self.language(value, place)
            else:
                try:
                    values[name] = msgspec.convert(value, types[name])
                except msgspec.ValidationError as problem:
                    mend = f"; write {_EXAMPLES[name]}" if name in _EXAMPLES else ""
                    self.error(place, f"{problem}{mend}")
                    self._wrong.add(tuple(place))
        if "where" in kind.__struct_fields__:
            values["where"] = self.where([*keys, "apps"])
        return kind(**{**values, "name": keys[-1]})

    def settings(self, found: Any, keys: list[str]) -> dict[str, Any]:
        """Settings of sessions: names and values that can be stored."""
        if not isinstance(found, Mapping):
            self.error(keys, "expected a table of settings, as in settings = { rate = 0.1, showup_fee = 5 }")
            return {}
        settings = {}
        for name, value in found.items():
            if not isinstance(name, str):
                self.error(keys, f"expected names of settings, found {name!r}")
                continue
            try:
                encode(value)
                settings[name] = value if name != "language" else self.language(value, [*keys, name])
            except NotStorable as problem:
                self.error([*keys, name], str(problem))
        return settings

    def language(self, found: Any, keys: list[str]) -> str:
        try:
            if found != "":
                locale_of(found)
            return str(found)
        except UnknownLanguage:
            self.error(keys, f'expected the code of a language, as in language = "de", found {found!r}')
            return ""

    def secrets(self, table: Any) -> dict[str, str]:
        """Of `[secrets]` and of secrets.toml, which wins. No message shows a value."""
        found: dict[str, str] = {}
        for file, values in ((FILE, table), (SECRETS, self.toml(self._folder / SECRETS))):
            if not isinstance(values, Mapping):
                self.error(["secrets"], f"expected a table, as in\n    {_EXAMPLES['secrets']}")
                continue
            for name, value in values.items():
                if not _SECRET.fullmatch(name) or not isinstance(value, str):
                    place = self.where(["secrets", name]) if file == FILE else file
                    self.problems.append(f'{place}: {name}: expected a name and text, as in OPENAI_API_KEY = "…"')
                else:
                    found[name] = value
        return found

    def check(self, project: Project) -> None:
        """What one section says about another."""
        for name, config in project.configs.items():
            if not config.apps and ("configs", name, "apps") not in self._wrong:
                self.error(["configs", name], f"names no app; write {_EXAMPLES['apps']}")
        for name, room in project.rooms.items():
            if room.config and project.configs and room.config not in project.configs:
                near = difflib.get_close_matches(room.config, project.configs, 1)
                mend = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(project.configs)}"
                self.error(["rooms", name, "config"], f"there is no config {room.config!r}; {mend}")
            if isinstance(room.labels, str) and not (self._folder / room.labels).is_file():
                self.error(
                    ["rooms", name, "labels"], f'there is no file {room.labels}; write it, or labels = ["a01", "a02"]'
                )
            if room.capacity < 0:
                self.error(["rooms", name, "capacity"], f"expected a number of players, found {room.capacity}")
            try:
                re.compile(room.pattern)
            except re.error as problem:
                self.error(["rooms", name, "pattern"], f"is no regular expression: {problem}")
        for name, admin in project.admins.items():
            if not admin.password:
                self.error(["admins", name], f"has no password; write\n    {_EXAMPLES['admins']}")
