"""What a session runs: apps in their order, with settings; a config of `grimoire.toml`, or one app by itself.

Owns what several apps are together: their pages, hooks, timers and declared fields. Never loads a file (experiment.py
does) and never runs a session. A reload makes a new Study; nothing in one changes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from promptgrimoire.authoring.experiment import Experiment
from promptgrimoire.authoring.language import DEFAULT, Language, Languages
from promptgrimoire.authoring.pages import Hook, PageSpec
from promptgrimoire.authoring.schedule import EveryHandler
from promptgrimoire.errors import ExperimentError
from promptgrimoire.state.declared import declared_fields
from promptgrimoire.state.records import Player


@dataclass(frozen=True, eq=False)
class Study:
    """One version of a config: its apps as they are loaded now, in the order in which players meet them."""

    name: str  # the config's; of an app by itself, the app's
    title: str
    description: str
    apps: tuple[Experiment, ...]  # at least one
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    language: str = DEFAULT  # of whom no hook speaks for; the setting "language" wins

    def __post_init__(self) -> None:
        self.language_of(None)  # read its data now, rather than when the first participant waits for it

    def app(self, name: str) -> Experiment:
        """The app of that name. Raises KeyError."""
        for app in self.apps:
            if app.name == name:
                return app
        raise KeyError(name)

    @cached_property
    def pages(self) -> Mapping[str, PageSpec]:
        """The pages of all apps by key, "app/Name"."""
        return MappingProxyType({key: spec for app in self.apps for key, spec in app.pages.items()})

    def hooks_named(self, name: str) -> list[tuple[str, Hook]]:
        """The hooks of that name (new_player, on_join, …), each with its app's name, in the order of the apps."""
        return [(app.name, app.hooks[name]) for app in self.apps if name in app.hooks]

    def language_of(self, record: Any, app: str = "") -> Language:
        """What a player speaks: what `language(player)` of `app` says, else that of the first app that has one.

        Without such a hook, where it gives None, and for any other record: the study's. Texts are those of `app`, which
        is the player's where none is given.
        """
        languages, hook = self._speaking.get(app or getattr(record, "app", "")) or self._speaking[self.apps[0].name]
        default = languages.default(self.settings.get("language", self.language))
        if hook is None or not isinstance(record, Player):
            return default
        return languages.chosen(hook, record, default)

    @cached_property
    def _speaking(self) -> dict[str, tuple[Languages, Hook | None]]:
        """Of each app: its texts, and who says what a player speaks."""
        first = next(iter(self.hooks_named("language")), ("", None))[1]
        return {app.name: (app.languages, app.hooks.get("language", first)) for app in self.apps}

    @cached_property
    def every(self) -> tuple[EveryHandler, ...]:
        """The `@every` functions of all apps, each named "app.function"."""
        return tuple(replace(handler, name=f"{app.name}.{handler.name}") for app in self.apps for handler in app.every)

    @cached_property
    def declared(self) -> Mapping[str, Mapping[str, type]]:
        """By app: the classes that declare the fields of its "player", "group" and "session"."""
        return MappingProxyType({app.name: app.declared for app in self.apps})

    @cached_property
    def multiple(self) -> int:
        """The number of players is best a multiple of this: the least one that suits SUGGESTED_MULTIPLE of all apps."""
        return math.lcm(*(app.multiple for app in self.apps))

    @cached_property
    def digest(self) -> str:
        """A short digest of all files of all apps."""
        if len(self.apps) == 1:
            return self.apps[0].digest
        whole = hashlib.sha256("\n".join(f"{app.name} {app.digest}" for app in self.apps).encode())
        return whole.hexdigest()[:16]

    @property
    def project(self) -> Path:
        """The folder around the apps."""
        return self.apps[0].project

    def name_of(self, function: Callable[..., Any]) -> str | None:
        """How a function at the top level of an app is stored, "app.name"; None for any other."""
        name = getattr(function, "__name__", "")
        found = (app.name for app in self.apps if getattr(app.module, name, None) is function)
        return next((f"{app}.{name}" for app in found), None)

    def function(self, stored: str) -> Callable[..., Any] | None:
        """The function that `name_of` named, in this version; None where it does not exist any more."""
        app, _, name = stored.rpartition(".")
        found = (getattr(one.module, name, None) for one in self.apps if one.name == app)
        return next(found, None)


def compose(
    name: str,
    apps: Sequence[Experiment],
    *,
    title: str = "",
    description: str = "",
    settings: Mapping[str, Any] | None = None,
    language: str = "",
) -> Study:
    """The study that these apps make; of a single one, title and description are the app's where there are no others.

    Raises ExperimentError where apps cannot be in one study.
    """
    problems = clashes(apps)
    if problems:
        raise ExperimentError(problems)
    alone = apps[0] if len(apps) == 1 else None
    return Study(
        name=name,
        title=title or (alone.title if alone is not None and alone.name == name else title_of(name)),
        description=description or (alone.description if alone is not None else ""),
        apps=tuple(apps),
        settings=MappingProxyType(dict(settings or {})),
        language=language or DEFAULT,
    )


def title_of(name: str) -> str:
    """How a name reads: "public_goods" as "Public goods"."""
    return name.replace("_", " ").strip().capitalize()


def clashes(apps: Sequence[Experiment]) -> list[str]:
    """What keeps apps from being in one study: an app named twice, a field declared with two types."""
    names = [app.name for app in apps]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [
        f"the app {name} is named twice; name it once (Rounds in its page_order repeat pages)" for name in twice
    ]
    seen: dict[tuple[str, str], tuple[Experiment, Any]] = {}
    for app in {app.name: app for app in apps}.values():
        for kind, declaration in app.declared.items():
            for field_name, hint in declared_fields(declaration).items():
                other, before = seen.setdefault((kind, field_name), (app, hint))
                if before != hint:
                    problems.append(
                        f"{kind}.{field_name} is declared as {_hint(hint)} in {app.name} and as {_hint(before)} in "
                        f"{other.name}; give both one type, or one of them another name"
                    )
    return problems


def _hint(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
