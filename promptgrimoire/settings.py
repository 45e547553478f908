"""One frozen Settings for the whole server, read once: defaults, then `grimoire.toml`, the environment, flags.

Owns names, defaults and checks of what can be set; never decides what is done with it. Nothing reads it a second time.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from promptgrimoire.errors import GrimoireError

VERSION = "0.1.0"  # of the package; pyproject.toml reads it here
FILE = "grimoire.toml"
PREFIX = "GRIMOIRE_"


class SettingsError(GrimoireError):
    """A setting that does not exist or has the wrong form; names where it stands."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one participant, call or session may use. Sizes in bytes, rates per second."""

    frame: int = 64_000  # one websocket message of a browser
    calls_per_second: float = 50.0  # of one player; resends are exempt
    call_burst: int = 100
    connections: int = 8  # of one player
    outbox_events: int = 1_000  # of one document; and kept ones of one player
    outbox_bytes: int = 1_000_000
    entry: int = 1_000_000  # one transaction, without its large values
    value: int = 20_000_000  # one value as JSON, where bytes take four thirds of their size
    form: int = 1_000_000  # one submission without uploads
    upload: int = 20_000_000
    players: int = 10_000  # of one session
    tasks: int = 1_000  # concurrent, of one session
    waiting_calls: int = 1_000  # in one player's lane
    backlog: int = 1_000_000  # unsent bytes of one slow connection
    frames_per_second: float = 200.0  # of one connection, of any kind
    frame_burst: int = 1_000
    journal_queue: int = 100_000  # entries that wait for the disk


class Grace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the server waits, in seconds."""

    ping: float = 5.0  # between two looks whether the other side is still there
    away: float = 5.0  # without a connection, before a player counts as disconnected
    hello: float = 10.0  # for a connection's first message
    submission: float = 10.0  # for calls still pending when a form is posted
    timeout: float = 2.5  # for what a browser posts by itself when the time of its page is over
    reconnect: float = 10.0  # for browsers to come back after an outage, before pages whose time is over are left
    call: float = 60.0  # a live method's deadline
    watchdog: float = 0.25  # author code that holds the loop for longer is named in the log
    shutdown: float = 5.0  # for requests under way when the server stops
    idle_session: float = 600.0  # untouched, before a session is put away


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`database` is `sqlite:///PATH`; `origins` are further origins that pages of this server may be seen under."""

    host: str = "127.0.0.1"
    port: int = 8000
    database: str = ""
    production: bool = False
    url: str = ""  # the public address, where a proxy hides it: "https://lab.example.org"
    origins: tuple[str, ...] = ()
    content_policy: str = ""  # replaces the default Content-Security-Policy
    limits: Limits = Limits()
    grace: Grace = Grace()

    @property
    def development(self) -> bool:
        return not self.production


_GROUPS: Mapping[str, type[msgspec.Struct]] = MappingProxyType({"limits": Limits, "grace": Grace})
_UNKNOWN = re.compile(r"unknown field `(\w+)`(?: - at `\$\.(\w+)`)?")
_AT = re.compile(r" - at `\$\.([\w.]+)")
_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


def read_settings(
    folder: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from `folder`/grimoire.toml (`[server]`, with `[server.limits]` and `[server.grace]`), variables such as
    GRIMOIRE_PORT or GRIMOIRE_LIMITS_FRAME, and flags; later ones win, flags that are None say nothing.

    Raises SettingsError naming the setting, where it stands, what was expected and what was found.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    file = ""
    if folder is not None and (folder / FILE).is_file():
        file, server = _from_file(folder / FILE)
        _put(values, sources, server, FILE)
    for name, text in (environment or {}).items():
        path = _variable_path(name)
        if path:
            _put(values, sources, _nested(path, _plain(path, text)), name)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    _put(values, sources, given, "the command line")
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        keys = _keys_of(str(error))
        where = sources.get(keys[0], "") if keys else ", ".join(sorted(set(sources.values())))
        if where == FILE:
            where = f"{FILE}:{line_of(file, ['server', *keys])}"
        raise SettingsError(f"{where}: {error}{_mend(str(error))}") from error


def _keys_of(problem: str) -> list[str]:
    """The setting that msgspec's message is about: ["limits", "frame"]."""
    unknown, at = _UNKNOWN.search(problem), _AT.search(problem)
    if unknown is not None:
        return [part for part in (unknown[2], unknown[1]) if part]
    return at[1].split(".") if at is not None else []


def _mend(problem: str) -> str:
    """The setting that was meant, for msgspec's message about one that does not exist."""
    unknown = _UNKNOWN.search(problem)
    if unknown is None:
        return ""
    struct = _GROUPS.get(unknown[2] or "", Settings)
    near = difflib.get_close_matches(unknown[1], struct.__struct_fields__, 1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(struct.__struct_fields__)}"


def _from_file(path: Path) -> tuple[str, dict[str, Any]]:
    text, content = read_toml(path)
    server = content.get("server", {})
    if not isinstance(server, dict):
        raise SettingsError(f"{path.name}:{line_of(text, ['server'])}: expected a table [server], found {server!r}")
    return text, server


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """A TOML file's text and content. Raises SettingsError with file and line."""
    try:
        text = path.read_text("utf-8")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path.name}:1: {error}; save the file as UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        line = _LINE.search(str(error))
        at = line[1] if line else str(text.count("\n") + 1)
        raise SettingsError(f"{path.name}:{at}: {_LINE.sub('', str(error))}") from error


def line_of(text: str, keys: Sequence[str]) -> int:
    """The line of TOML where what `keys` lead to is written, else where the nearest of what holds it begins."""
    best, found = 0, 1
    table: list[str] = []
    for number, row in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(row), _KEY.match(row)
        if header:
            table = path = _parts(header[1])
        elif key:
            path = [*table, *_parts(key[1])]
        else:
            continue
        shared = min(len(path), len(keys))
        if path[:shared] == list(keys[:shared]) and shared > best:
            best, found = shared, number
    return found


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def _put(values: dict[str, Any], sources: dict[str, str], new: Mapping[str, Any], source: str) -> None:
    for name, value in new.items():
        sources[name] = source
        if isinstance(value, Mapping) and isinstance(values.get(name), dict):
            values[name] = {**values[name], **value}
        else:
            values[name] = value


def _variable_path(variable: str) -> list[str]:
    """GRIMOIRE_PORT -> ["port"], GRIMOIRE_LIMITS_FRAME -> ["limits", "frame"]; [] for what is no setting.

    Raises SettingsError for what looks like a misspelt one.
    """
    if not variable.startswith(PREFIX):
        return []
    paths = {name: [name] for name in Settings.__struct_fields__ if name not in _GROUPS}
    for group, struct in _GROUPS.items():
        paths |= {f"{group}_{inner}": [group, inner] for inner in struct.__struct_fields__}
    name = variable.removeprefix(PREFIX).lower()
    near = difflib.get_close_matches(name, paths, 1, 0.75)
    if name not in paths and near:
        raise SettingsError(f"{variable}: there is no such setting; did you mean {PREFIX}{near[0].upper()}?")
    return paths.get(name, [])


def _plain(path: list[str], text: str) -> Any:
    if path == ["origins"]:
        return [part.strip() for part in text.split(",") if part.strip()]
    if path == ["production"]:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}.get(
            text.lower(), text
        )
    return text


def _nested(path: list[str], value: Any) -> dict[str, Any]:
    return {path[0]: value} if len(path) == 1 else {path[0]: {path[1]: value}}
