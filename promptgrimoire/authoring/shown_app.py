"""`app` in templates: the app's name, which also gives what its module defines: `{{ app.LABELS["a"] }}`."""

from __future__ import annotations

from types import ModuleType
from typing import Any


class ShownApp(str):
    """The name of an app, with the names of its module as attributes."""

    _module: ModuleType

    def __new__(cls, name: str, module: ModuleType) -> ShownApp:
        self = super().__new__(cls, name)
        self._module = module
        return self

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(self._module, name)
        except AttributeError:
            raise AttributeError(f"the app {self} has no '{name}'") from None
