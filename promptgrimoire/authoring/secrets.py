"""`secret("OPENAI_API_KEY")`: what must not be known to participants, to the journal or to whoever reads a log.

Owns where a secret's value comes from, and finding values in text that is about to be shown or stored. Values live in
memory only: they are in no entry, no message and no export.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec

from promptgrimoire.context import Activity, current
from promptgrimoire.errors import AuthorError, NoTransaction

_RECOGNISED = 8  # characters: shorter values are words that may stand anywhere


class Secrets:
    """The secrets of one server: variables of the environment, `secrets.toml`, `[secrets]` of grimoire.toml.

    `values` are those of the files. Those of the environment are known once they have been asked for.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = environment or {}
        self._values: Mapping[str, str] = {}
        self._known: dict[str, str] = {}

    def replace(self, values: Mapping[str, str]) -> None:
        """From now on, these are the secrets of the files. Earlier values go on being recognised."""
        self._values = values
        for name, value in values.items():
            self._recognise(name, value)

    def get(self, name: str) -> str:
        """A secret's value. Raises AuthorError that says where to put it."""
        value = self._environment.get(name) or self._values.get(name, "")
        if not value:
            near = difflib.get_close_matches(name, self._values, 1)
            raise AuthorError(
                f"secret({name!r}): there is no such secret"
                + (f"; did you mean {near[0]!r}?" if near else "")
                + f'; set the environment variable {name}, or write {name} = "…" in secrets.toml beside grimoire.toml'
            )
        self._recognise(name, value)
        return value

    def _recognise(self, name: str, value: str) -> None:
        if len(value) >= _RECOGNISED:
            self._known[value] = name

    def masked(self, text: str) -> str:
        """The text with the names of secrets in place of their values."""
        for value, name in self._known.items():
            for form in {value, _as_json(value).decode()}:
                text = text.replace(form, f"[secret {name}]")
        return text

    def check(self, texts: Iterable[bytes]) -> None:
        """Raises AuthorError where a secret's value stands in JSON text that is about to be stored or sent."""
        if not self._known:
            return
        for text in texts:
            for value, name in self._known.items():
                if _as_json(value) in text:
                    raise AuthorError(
                        f"the value of the secret {name} was about to be stored or sent; "
                        "call secret(…) where it is needed, and keep it in a local variable"
                    )

    @contextmanager
    def within_reach(self, label: str) -> Iterator[None]:
        """Author code in here (a module that is imported) may call `secret`, and nothing else of a session."""
        services: Any = OnlySecrets(self.get)
        token = current.set(Activity(services, None, "", 0, label))
        try:
            yield
        finally:
            current.reset(token)


class OnlySecrets:
    """Services for author code outside of any session: where a module is imported, and in a thread."""

    def __init__(self, get: Callable[[str], str]) -> None:
        self.secret = get

    def __getattr__(self, name: str) -> NoReturn:
        raise NoTransaction(f"{name}(…) works only in hooks, live methods, timers and tasks of a session")


def _as_json(value: str) -> bytes:
    return msgspec.json.encode(value)[1:-1]
