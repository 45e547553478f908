"""Advice from the syntax tree: what works on one computer today and spoils a study tomorrow.

Owns which expressions are worth a warning, and which few can only be mistakes. Looks at source only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import MappingProxyType

_RANDOM = "random numbers are not repeatable after a restart or rollback; use player.rng or session.rng"
_BLOCKS = "blocks the server for everybody while it runs; use in_thread(...)"
_CALLS: Mapping[str, str] = MappingProxyType(
    {
        "time.sleep": f"{_BLOCKS[:6]} the server for everybody while it sleeps; write await asyncio.sleep(...)",
        "time.time": "differs when commands are replayed; changes are recorded with their time anyway",
        "random": _RANDOM,
        "requests": _BLOCKS,
        "urllib.request.urlopen": _BLOCKS,
        "httpx.get": _BLOCKS,
        "httpx.post": _BLOCKS,
        "subprocess.run": _BLOCKS,
        "heapq": "changes a stored list behind its back; sort it, or assign a new list",
    }
)
_CHANGES = frozenset(
    [
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "clear",
        "add",
        "discard",
        "update",
        "setdefault",
        "sort",
        "reverse",
    ]
)
_CONTAINERS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_STORES = frozenset(["player", "session", "group"])
_ASKED = frozenset(["fields", "group_by", "jsvars", "show", "templatevars", "timeout", "wait_for"])  # for a value
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def untranslatable(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text for each `_(f"…")`: it looks for a text with the value in it, which no catalogue has."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "_":
            continue
        for text in call.args[:2]:
            made = isinstance(text, ast.JoinedStr) and any(isinstance(one, ast.FormattedValue) for one in text.values)
            made = made or (isinstance(text, ast.BinOp) and isinstance(text.left, ast.Constant))
            made = made or (isinstance(text, ast.Call) and ast.unparse(text.func).endswith(".format"))
            if made:
                yield (
                    call.lineno,
                    "a text with values in it is in no catalogue; keep it as it is and name the values: "
                    '_("Hello {name}", name=player.name)',
                )


def warnings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each warning."""
    names = _imported(tree)
    containers = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and _is_container(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    coroutines = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
    for function in _functions(tree):
        local = _local_names(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                yield from _call(node, names, local)
            if isinstance(node, ast.Expr) and _called(node.value) in coroutines - local:
                yield node.lineno, _not_carried_out(ast.unparse(node.value), str(_called(node.value)))
            if isinstance(node, ast.Global):
                yield node.lineno, _global(", ".join(node.names))
            if isinstance(node, ast.stmt | ast.Call) and _changed_name(node) in containers - local:
                yield node.lineno, _global(str(_changed_name(node)))
    for function in _page_functions(tree):
        yield from _kept_on_class(function)


def unreturned(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Hooks that make a value and do not return it: a page would be shown without its questions, or to everybody."""
    for function in _page_functions(tree):
        if function.name not in _ASKED or any(
            isinstance(node, ast.Return | ast.Yield | ast.Raise) for node in ast.walk(function)
        ):
            continue
        last = function.body[-1]
        if isinstance(last, ast.Expr) and _is_made(last.value):
            yield last.lineno, f"{function.name} does not return this; write return {ast.unparse(last.value)[:60]}"
        elif function.name == "fields":
            yield function.lineno, "fields returns nothing, so the page would ask nothing; return a dict of fields"


def mutated_originals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """`player.items = items; items.append(1)` in one block: the stored copy would not have the new item."""
    for function in _functions(tree):
        for block in _blocks(function):
            yield from _mutated(block)


def _mutated(block: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    made: set[str] = set()
    stored: dict[str, tuple[int, str]] = {}
    for node in block:
        for name, (line, written) in stored.items():
            if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Delete) and _changes(node, name):
                yield (
                    node.lineno,
                    f"'{name}' is changed after line {line} stored a copy of it; change {written} instead",
                )
        if any(isinstance(one, ast.Await) for one in ast.walk(node)):
            stored.clear()
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name):
                stored.pop(target.id, None)
                (made.add if _is_container(value) else made.discard)(target.id)
            elif _is_field(target) and isinstance(value, ast.Name) and value.id in made:
                stored[value.id] = (node.lineno, ast.unparse(target))


def _is_made(node: ast.expr) -> bool:
    """Whether an expression only makes a value, so that it says nothing as a statement."""
    if isinstance(node, ast.Call):
        return _called(node) == "dict"
    return not isinstance(node, ast.Await | ast.Constant | ast.NamedExpr)


def _kept_on_class(function: _Function) -> Iterator[tuple[int, str]]:
    """`page.x = 1`: what is written there is everybody's."""
    page = function.args.args[0].arg
    for node in ast.walk(function):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _is_update(node) else []  # type: ignore[attr-defined]
        for target in targets:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == page:
                yield node.lineno, _global(ast.unparse(target))  # type: ignore[attr-defined]


def _is_update(node: ast.AST) -> bool:
    return isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value is not None)


def _changes(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.Expr):
        return _changed_name(node.value) == name
    return _changed_name(node) == name


def _changed_name(node: ast.AST) -> str | None:
    """The name of the list, dict or set that a statement or call changes in place."""
    changed: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        changed = node.func.value
    elif isinstance(node, ast.Assign | ast.Delete) and isinstance(node.targets[0], ast.Subscript):
        changed = node.targets[0].value
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
        changed = node.target.value
    return changed.id if isinstance(changed, ast.Name) else None


def _call(node: ast.Call, names: Mapping[str, str], local: set[str]) -> Iterator[tuple[int, str]]:
    written = ast.unparse(node.func)
    first, _, rest = written.partition(".")
    if first in local or first not in names:
        return
    meant = f"{names[first]}.{rest}" if rest else names[first]
    advice = _CALLS.get(meant) or (_CALLS.get(meant.partition(".")[0]) if "." in meant else None)
    if advice is None or (meant == "random.Random" and node.args):  # with a seed: `player.rng = random.Random(seed)`
        return
    if not meant.startswith("heapq.") or (node.args and _is_field(node.args[0])):
        yield node.lineno, f"{written}() {advice}"


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name means: {"sleep": "time.sleep", "np": "numpy"}."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.partition(".")[0]
                names[alias.asname or package] = alias.name if alias.asname else package
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _functions(tree: ast.Module) -> Iterator[_Function]:
    """Functions of the module and of its classes."""
    for node in tree.body:
        if isinstance(node, _Function):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (member for member in node.body if isinstance(member, _Function))


def _page_functions(tree: ast.Module) -> Iterator[_Function]:
    """Functions of classes that take the page: hooks, live methods, helpers."""
    for node in tree.body:
        for member in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(member, _Function) and member.args.args and member.args.args[0].arg == "page":
                yield member


def _blocks(function: _Function) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield block


def _local_names(function: _Function) -> set[str]:
    arguments = function.args
    names = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    shared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return (names | stored) - shared


def _is_container(node: ast.expr) -> bool:
    made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return isinstance(node, _CONTAINERS) or (made and node.func.id in ("list", "dict", "set", "defaultdict"))  # type: ignore[attr-defined]


def _is_field(node: ast.expr) -> bool:
    """player.x, player.session.x, group.x, ..."""
    if not isinstance(node, ast.Attribute):
        return False
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in _STORES


def _called(node: ast.expr) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def _not_carried_out(written: str, name: str) -> str:
    return f"{name} is async and does not run this way; write await {written}, or spawn({written})"


def _global(names: str) -> str:
    return f"'{names}' belongs to the whole server and is lost on a restart; keep it on the session or the player"
