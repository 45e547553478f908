"""An experiment's source as syntax trees: on which line something stands, and what only the source can tell.

Owns line numbers and the mistakes that leave no trace after an import (a method defined twice, an import hidden by the
star import, `template: "X.html"`). Never imports anything.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Source:
    """One Python file. Raises SyntaxError."""

    def __init__(self, path: Path, shown: str) -> None:
        self.path, self.shown = path, shown
        self.tree = ast.parse(path.read_bytes(), str(path))
        self._lines: dict[str, int] = {}
        for node in self.tree.body:
            for name in _bound(node):
                self._lines[name] = node.lineno
            if isinstance(node, ast.ClassDef):
                for member in node.body:
                    for name in _bound(member):
                        self._lines[f"{node.name}.{name}"] = member.lineno

    def line(self, name: str) -> int:
        """The line on which "Counter", "Counter.show" or "page_order" is (last) defined; 1 where it is not."""
        return self._lines.get(name, 1)

    def defines(self, name: str) -> bool:
        return name in self._lines

    def names(self) -> Iterator[tuple[str, int, ast.stmt]]:
        """What the module itself defines at its top level, imports apart."""
        for node in self.tree.body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                for name in _bound(node):
                    yield name, node.lineno, node

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in self.tree.body if isinstance(node, ast.ClassDef))

    def docstring_line(self, class_name: str) -> int:
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == class_name and node.body:
                return node.body[0].lineno
        return 1

    def item_line(self, name: str, index: int) -> int:
        """The line of an item of a list that is written out; the line of the list where it is not."""
        for node in self.tree.body:
            value = getattr(node, "value", None)
            if name in _bound(node) and isinstance(value, ast.List | ast.Tuple) and index < len(value.elts):
                return value.elts[index].lineno
        return self.line(name)

    def problems(self, star_names: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[int, str]]:
        """What is certainly wrong. `star_names`: what `from module import *` brings, by module."""
        yield from self._hidden_by_star(star_names)
        yield from _defined_twice(self.tree.body, "")
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef):
                yield from _defined_twice(node.body, f"{node.name}.")

    def _hidden_by_star(self, star_names: Mapping[str, Mapping[str, object]]) -> Iterator[tuple[int, str]]:
        bound: dict[str, ast.stmt] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and node.module in star_names:
                for name, value in star_names[node.module or ""].items():
                    if name in bound and not _imports(bound[name], name, value):
                        yield (
                            node.lineno,
                            f"`from {node.module} import *` hides the '{name}' of line {bound[name].lineno}; "
                            "put the star import first",
                        )
            bound |= dict.fromkeys(_bound(node), node)


def _imports(node: ast.stmt, name: str, value: object) -> bool:
    """Whether a statement imports that very object under that name."""
    if not isinstance(node, ast.ImportFrom) or node.module not in sys.modules:
        return False
    original = next((one.name for one in node.names if (one.asname or one.name) == name), name)
    return getattr(sys.modules[node.module], original, None) is value


def annotated_only(node: ast.ClassDef, names: Mapping[str, object]) -> Iterator[tuple[int, str]]:
    """`template: "X.html"` where `template = "X.html"` was meant."""
    for member in node.body:
        if isinstance(member, ast.AnnAssign) and member.value is None and isinstance(member.target, ast.Name):
            name = member.target.id
            if name in names:
                yield member.lineno, f"{node.name}.{name} has a type but no value; write {name} = ..."


def _defined_twice(body: list[ast.stmt], prefix: str) -> Iterator[tuple[int, str]]:
    seen: dict[str, int] = {}
    for node in body:
        if not isinstance(node, _Definition):
            continue
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if any(name.endswith((".setter", ".getter", ".deleter", "overload", ".register")) for name in decorators):
            continue
        if node.name in seen:
            yield (
                node.lineno,
                f"{prefix}{node.name} is defined twice, also on line {seen[node.name]}: "
                "the first one is lost; rename one of them",
            )
        seen[node.name] = node.lineno


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            names = [name for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            return [name.id for name in names if isinstance(name.ctx, ast.Store)]
        case ast.AnnAssign() | ast.AugAssign():
            return [node.target.id] if isinstance(node.target, ast.Name) else []
        case ast.Import() | ast.ImportFrom():
            return [(alias.asname or alias.name).partition(".")[0] for alias in node.names if alias.name != "*"]
    return []
