"""`session.settings`: what the session's config set, as it was when the session was made. Read-only."""

from __future__ import annotations

import difflib
from typing import Any, NoReturn

from promptgrimoire.errors import ReadOnly, UnknownSetting


class SettingsView(dict[str, Any]):
    """A dict that cannot be changed, nor the tables in it; lists are tuples.

    A setting that is missing raises UnknownSetting, which is a KeyError, and says which there are.
    """

    __slots__ = ()

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({name: _view(value) for name, value in values.items()})

    def __missing__(self, name: Any) -> NoReturn:
        near = difflib.get_close_matches(str(name), self, 1)
        there = ", ".join(self) or "none"
        raise UnknownSetting(
            f"there is no setting {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {there}")
        )

    def __getattr__(self, name: str) -> Any:
        """`settings.rate`, as templates write it; raises AttributeError, so that hasattr works."""
        if name in self:
            return self[name]
        try:
            self.__missing__(name)
        except UnknownSetting as missing:
            raise AttributeError(str(missing)) from None

    def _refuse(self, *_arguments: Any, **_named: Any) -> NoReturn:
        raise ReadOnly(
            "the settings of a session stay as they were when it was made; keep on the session itself what changes"
        )

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse


def _view(value: Any) -> Any:
    if isinstance(value, dict):
        return SettingsView(value)
    if isinstance(value, list | tuple):
        return tuple(map(_view, value))
    return frozenset(value) if isinstance(value, set) else value
