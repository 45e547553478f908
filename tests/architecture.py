"""Reads the syntax trees of a source tree and reports where it leaves the architecture (docs: "The house").

Pure: every function takes a `Tree` and returns one line per finding. What the rules are about, and the lists of what is
allowed, stands in test_architecture.py.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

MUTABLE_CALLS = frozenset(
    [
        "list",
        "dict",
        "set",
        "bytearray",
        "defaultdict",
        "deque",
        "Counter",
        "OrderedDict",
        "ChainMap",
        "WeakKeyDictionary",
        "WeakValueDictionary",
        "WeakSet",
        "count",
        "cycle",
        "local",
        "Lock",
        "RLock",
        "Event",
        "Queue",
        "Semaphore",
        "Random",
        "SimpleNamespace",
        "StringIO",
        "BytesIO",
        "ContextVar",
        "Environment",
    ]
)
MUTATING_METHODS = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "clear",
        "sort",
        "reverse",
        "update",
        "setdefault",
        "popitem",
        "add",
        "discard",
        "appendleft",
        "popleft",
        "intersection_update",
        "difference_update",
        "symmetric_difference_update",
    ]
)
CLOCK_CALLS = frozenset(("now", "utcnow", "today", "monotonic", "perf_counter"))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Module:
    name: str  # "promptgrimoire.web.app"; a package's __init__ has the package's name
    path: Path
    source: str
    package: bool

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, str(self.path))


@dataclass(frozen=True)
class Tree:
    """All modules of one package."""

    package: str
    modules: Mapping[str, Module]

    @classmethod
    def read(cls, folder: Path) -> Tree:
        modules: dict[str, Module] = {}
        for path in sorted(folder.rglob("*.py")):
            parts = list(path.relative_to(folder.parent).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            name = ".".join(parts)
            modules[name] = Module(name, path, path.read_text(), path.name == "__init__.py")
        return cls(folder.name, modules)

    def imports(self, module: Module, *, typing: bool = True) -> Iterator[tuple[str, int]]:
        """(imported module of this package, line), wherever in the file it stands; `typing`: TYPE_CHECKING included."""
        only_typing = set() if typing else set(_typing_only(module.tree))
        for node in ast.walk(module.tree):
            if node in only_typing:
                continue
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == self.package:
                        yield alias.name, node.lineno
            elif isinstance(node, ast.ImportFrom):
                base = _absolute(module, node)
                if base.split(".")[0] != self.package:
                    continue
                for alias in node.names:
                    inner = f"{base}.{alias.name}"
                    yield (inner if inner in self.modules else base), node.lineno


def _typing_only(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from ast.walk(statement)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    parts = module.name.split(".")
    keep = len(parts) - node.level + (1 if module.package else 0)
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def _unit(name: str) -> str:
    """The part of the house a module belongs to: promptgrimoire.web.app -> web."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def against_layers(tree: Tree, layers: Sequence[Collection[str]], ground: Collection[str]) -> list[str]:
    """Imports that do not point downward. `layers` from the top; units of one layer never import each other.

    Units in `ground` are the lowest layer and may import each other. The package's own `__init__` (unit "") is a layer
    like any other, if listed.
    """
    height = {unit: len(layers) - index for index, layer in enumerate(layers) for unit in layer}
    height.update(dict.fromkeys(ground, 0))
    found: list[str] = []
    for module in tree.modules.values():
        here = _unit(module.name)
        if here not in height:
            found.append(f"{module.name}: '{here}' is in no layer")
            continue
        for target, line in tree.imports(module):
            there = _unit(target)
            if there == here or (here in ground and there in ground):
                continue
            if there in height and height[there] < height[here]:
                continue
            found.append(f"{module.name}:{line}: '{here or tree.package}' imports '{there or tree.package}'")
    return found


def cycles(tree: Tree) -> list[str]:
    """Import cycles between modules, each once, as "a -> b -> a". Names needed by the type checker alone make none."""
    graph = {
        name: {target for target, _ in tree.imports(module, typing=False)} - {name}
        for name, module in tree.modules.items()
    }
    found: dict[frozenset[str], str] = {}
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            ring = way[way.index(name) :]
            found.setdefault(frozenset(ring), " -> ".join([*ring, name]))
            return
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            walk(target, [*way, name])
        done.add(name)

    for name in graph:
        walk(name, [])
    return list(found.values())


def imports_in_functions(tree: Tree) -> list[str]:
    """Imports below the top level of a file, `__import__` and `import_module` of this package's modules included."""
    found: list[str] = []
    for module in tree.modules.values():
        for function in ast.walk(module.tree):
            if not isinstance(function, _FUNCTIONS):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    found.append(f"{module.name}:{node.lineno}: import inside a function")
                elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
                    first = node.args[0] if node.args else None
                    if isinstance(first, ast.Constant) and str(first.value).split(".")[0] in (tree.package, ""):
                        found.append(f"{module.name}:{node.lineno}: import inside a function")
    return sorted(set(found))


def _called(node: ast.expr) -> str:
    """The last name of what is called: collections.deque() -> deque, dict[str, int]() -> dict."""
    if not isinstance(node, ast.Call):
        return ""
    function = node.func
    if isinstance(function, ast.Subscript):
        function = function.value
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def mutable_state(tree: Tree, allowed: Collection[tuple[str, str]] = ()) -> list[str]:
    """Module-level values that can change. Tables in CAPITALS are constants as long as nothing in the package's files
    changes them; `allowed` are (module, name) pairs."""
    found: list[str] = []
    for module in tree.modules.values():
        constants: set[str] = set()
        for name, value in _assignments(module.tree.body):
            mutable = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp) or (
                _called(value) in MUTABLE_CALLS
            )
            if not mutable or name == "__all__" or (module.name, name) in allowed:
                continue
            if name.isupper() and _called(value) in ("", "dict", "list", "set"):
                constants.add(name)
            else:
                found.append(f"{module.name}: '{name}' is mutable and module-level")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Global):
                found.append(f"{module.name}:{node.lineno}: global {', '.join(node.names)}")
        found += [f"{module.name}:{line}: changes the constant '{name}'" for name, line in _changes(module, constants)]
    return found


def _assignments(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
        elif isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _assignments(getattr(node, part, []))


def _changes(module: Module, names: Collection[str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        target: ast.expr | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            target = node.value
        elif isinstance(node, ast.AugAssign):
            target = node.target
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING_METHODS:
            target = node.func.value
        if isinstance(target, ast.Name) and target.id in names:
            yield target.id, target.lineno


def broad_excepts(tree: Tree, boundaries: Collection[str]) -> list[str]:
    """`except Exception`, `except BaseException` and bare `except` outside `boundaries` ("module:Class.function").

    One that ends by raising again has hidden nothing and is fine. A boundary that catches nothing is reported too, so
    that the list stays true.
    """
    found: list[str] = []
    used: set[str] = set()

    def visit(module: Module, node: ast.AST, where: tuple[str, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            where = (*where, node.name)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not isinstance(node.body[-1], ast.Raise):
            place = f"{module.name.removeprefix(tree.package + '.')}:{'.'.join(where)}"
            if place in boundaries:
                used.add(place)
            else:
                found.append(f"{place} (line {node.lineno}): a broad except outside the named boundaries")
        for child in ast.iter_child_nodes(node):
            visit(module, child, where)

    for module in tree.modules.values():
        visit(module, module.tree, ())
    return found + [f"{place}: a boundary without a broad except" for place in sorted(set(boundaries) - used)]


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in names)


def impure(tree: Tree, pure: Collection[str], forbidden: Collection[str]) -> list[str]:
    """Imports of clocks, sockets, files and the like in modules that must have none."""
    found: list[str] = []
    for module in tree.modules.values():
        short = module.name.removeprefix(tree.package + ".")
        if not any(short == name or short.startswith(name + ".") for name in pure):
            continue
        for node in ast.walk(module.tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and (_called(node) in CLOCK_CALLS or _is_open(node)):
                names = [_called(node)]
            line = getattr(node, "lineno", 0)
            known = {*forbidden, *CLOCK_CALLS, "open"}
            found += [f"{module.name}:{line}: {name} in a pure module" for name in names if name.split(".")[0] in known]
    return found


def _is_open(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "open"


def too_long(tree: Tree, limit: int) -> list[str]:
    counts = ((module, module.source.count("\n")) for module in tree.modules.values())
    return [f"{module.name}: {count} lines, at most {limit}" for module, count in counts if count > limit]


def without_docstring(tree: Tree) -> list[str]:
    """Modules without a docstring; an empty `__init__.py` owns nothing and needs none."""
    return [module.name for module in tree.modules.values() if module.source and not ast.get_docstring(module.tree)]


def unexpected_at_top(root: Path, allowed: Collection[str]) -> list[str]:
    """What lies in the repository's top folder beside `allowed` (patterns); dotfiles are free."""
    names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    return [name for name in names if not any(fnmatch(name, pattern) for pattern in allowed)]
