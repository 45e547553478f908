"""One frozen Settings for the whole server, read once: defaults, then `grimoire.toml`, the environment, flags.

Owns names, defaults and checks of what can be set; never decides what is done with it. Nothing reads it a second time.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
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


def read_settings(
    folder: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from `folder`/grimoire.toml (`[server]`, with `[server.limits]` and `[server.grace]`), variables such as
    GRIMOIRE_PORT or GRIMOIRE_LIMITS_FRAME, and flags; later ones win, flags that are None say nothing.

    Raises SettingsError naming the setting, where it stands, what was expected and what was found.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if folder is not None and (folder / FILE).is_file():
        _put(values, sources, _from_file(folder / FILE), str(folder / FILE))
    for name, text in (environment or {}).items():
        path = _variable_path(name)
        if path:
            _put(values, sources, _nested(path, _plain(path, text)), name)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    _put(values, sources, given, "the command line")
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        places = ", ".join(sorted(set(sources.values())))
        raise SettingsError(f"Settings ({places}): {error}{_mend(str(error))}") from error


def _mend(problem: str) -> str:
    """The setting that was meant, for msgspec's message about one that does not exist."""
    unknown = _UNKNOWN.search(problem)
    if unknown is None:
        return ""
    struct = _GROUPS.get(unknown[2] or "", Settings)
    near = difflib.get_close_matches(unknown[1], struct.__struct_fields__, 1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(struct.__struct_fields__)}"


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    server = content.get("server", {})
    if not isinstance(server, dict):
        raise SettingsError(f"{path}: expected a table [server], found {server!r}")
    return server


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
