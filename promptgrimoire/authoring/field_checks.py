"""The loading checks of pages' fields: what can be said before anybody has seen them.

Owns the words; fields that a hook makes are checked by `forms.build_form`, with the same rules, when it has made them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from promptgrimoire.authoring.pages import PageSpec
from promptgrimoire.authoring.prototypes import wrong_field

_SHOWN = re.compile(r"\b(?:fields|field|form|likert_matrix|likert_grid)\b|\{%-?\s*include")


def field_problems(fields: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the fields of a page: the name of the field, and the text."""
    for name, one in fields.items():
        problem = wrong_field(name, one)
        if problem is not None:
            yield str(name), problem


def field_line(tree: ast.Module | None, page: str, name: str) -> int | None:
    """The line where a page's `fields = dict(name=...)` (or `{"name": ...}`) has that field; None elsewhere."""
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.name == page:
            for key, value in _written_fields(node):
                if key == name:
                    return value.lineno
    return None


def unshown(template: str, fields: object) -> str | None:
    """What is wrong with an HTML template that shows none of the page's fields: nobody could answer them."""
    if not fields or "Base.html" not in template or _SHOWN.search(template):
        return None
    if isinstance(fields, Mapping) and all(str(name) in template for name in fields):
        return None  # written by hand
    return "has fields, and its template shows none; add {{ fields() }} where they are to stand"


def repeated_fields(specs: Iterable[PageSpec]) -> Iterator[tuple[str, str]]:
    """Fields that two pages have: "file:line" of the later page, and the text."""
    first: dict[str, PageSpec] = {}
    for spec in specs:
        fields = spec.settings.get("fields")
        for name in fields if isinstance(fields, Mapping) else ():
            earlier = first.setdefault(str(name), spec)
            if earlier is not spec:
                yield (
                    f"{spec.file}:{spec.line}",
                    f"{spec.name} and {earlier.name} both have the field '{name}': the later answer replaces the"
                    f" earlier one; give them different names, such as {name}_2",
                )


def _written_fields(page: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for member in page.body:
        targets = member.targets if isinstance(member, ast.Assign) else [getattr(member, "target", None)]
        value = getattr(member, "value", None)
        if not any(isinstance(target, ast.Name) and target.id == "fields" for target in targets):
            continue
        if isinstance(value, ast.Call):
            yield from ((keyword.arg, keyword.value) for keyword in value.keywords if keyword.arg)
        elif isinstance(value, ast.Dict):
            for key, one in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, one
