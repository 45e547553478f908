"""What an app may hold already though it has no effect before a later version: loading says so, and loads it.

Owns the list of such files and calls; hooks of the module are in vocabulary.LATER_MODULE_HOOKS.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from promptgrimoire.authoring.source import Source

_LATER = "has no effect yet: it comes with a later version"
# Templates that are shown to researchers, not to participants.
_TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "AdminDigest.html": "the page that shows what digest returns",
        "AdminSettings.html": "the form for the settings of a new session",
    }
)
_ENDPOINTS = ("api", "api2")


def later_templates(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, what to say) for each template in the app's folder that is not used yet."""
    for name, what in _TEMPLATES.items():
        if (folder / name).is_file():
            yield name, f"{what} {_LATER}"


def later_calls(source: Source) -> Iterator[tuple[int, str]]:
    """(line, what to say) for functions and calls of a module whose part comes later; of each the first."""
    for name, line, node in source.names():
        if name in _ENDPOINTS and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield line, f"{name} {_LATER}"
    for one in ast.walk(source.tree):
        owner = one.func.value if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and owner.id == "chat" and not source.defines("chat"):
            yield (
                owner.lineno,
                "chat: messages are kept, and chat(...) in a template lists them; writing and receiving them on a page "
                "comes with a later version",
            )
            return
