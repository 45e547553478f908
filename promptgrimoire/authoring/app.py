"""The loading checks of an app's module: its hooks, `page_order`, `C`, `Context`, declared fields, `@every` functions.

Owns what a module may define and finds it; collects problems in a Report. Pages are checked in checks.py.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from promptgrimoire.authoring import order
from promptgrimoire.authoring.checks import Report, hook_of
from promptgrimoire.authoring.live import options_of
from promptgrimoire.authoring.pages import BUILT_IN_PAGES, HOOK_KINDS, Hook, HookKind, Page, PlayerContext
from promptgrimoire.authoring.schedule import EveryHandler, interval_of
from promptgrimoire.authoring.sequence import Between, Repeat, Sequence, pages_in, sequences_in
from promptgrimoire.authoring.source import Source
from promptgrimoire.authoring.templates import PageTemplate
from promptgrimoire.authoring.vocabulary import LATER_MODULE_HOOKS, MODULE_HOOKS, MODULE_VALUES, OTREE_MODULE, near_miss
from promptgrimoire.errors import NotSerialisable
from promptgrimoire.state.browser_values import to_browser
from promptgrimoire.state.declared import ALWAYS, BUILT_IN, GroupFields, PlayerFields, SessionFields, declared_fields

_DECLARED = {"player": PlayerFields, "group": GroupFields, "session": SessionFields}


@dataclass(frozen=True, slots=True)
class App:
    """What a module defines beside its pages. `pages`, all that occur in page_order, and `items`, page_order itself,
    are None where it is a function (then `order` is it)."""

    hooks: dict[str, Hook]
    pages: list[type[Page]] | None
    items: list[Any] | None
    order: Hook | None
    constants: Any
    export: dict[str, Any]
    context_class: type[PlayerContext] | None
    declared: dict[str, type]
    every: tuple[EveryHandler, ...]
    description: str
    multiple: int
    has_landing: bool  # LANDING_PAGE
    landing: PageTemplate | None = None


@dataclass(frozen=True, slots=True)
class _Named:
    """Something at the top level of the module, as hook_of wants to know it."""

    full: str
    file: str
    line: int

    @property
    def at(self) -> str:
        return f"{self.file}:{self.line}"


def check_app(module: ModuleType, source: Source, report: Report) -> App:
    """Everything about the module apart from its pages."""
    _check_names(module, source, report)
    items, order_hook = _page_order(module, source, report)
    description = getattr(module, "DESCRIPTION", None)
    if description is not None and not isinstance(description, str):
        report.error(_at(source, "DESCRIPTION"), f"DESCRIPTION: expected text, found {description!r}")
    constants = getattr(module, "C", None) if source.defines("C") else None
    declared = _declared(module, source, report)
    _check_fields(items or [], declared, source, report)
    _check_tolerance(module, source, report)
    return App(
        hooks=_module_hooks(module, source, report),
        pages=None if items is None else list(pages_in(items)),
        items=items,
        order=order_hook,
        constants=constants,
        export=_export(constants, source, report),
        context_class=_context(module, source, report),
        declared=declared,
        every=_every(module, source, report),
        description=inspect.cleandoc(str(description or module.__doc__ or "")),
        multiple=_multiple(module, source, report),
        has_landing=_has_landing(module, source, report),
    )


def _at(source: Source, name: str) -> str:
    return f"{source.shown}:{source.line(name)}"


def _multiple(module: ModuleType, source: Source, report: Report) -> int:
    value = getattr(module, "SUGGESTED_MULTIPLE", 1) if source.defines("SUGGESTED_MULTIPLE") else 1
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        report.error(
            _at(source, "SUGGESTED_MULTIPLE"), f"SUGGESTED_MULTIPLE: expected a number of players, found {value!r}"
        )
        return 1
    return value


def _check_tolerance(module: ModuleType, source: Source, report: Report) -> None:
    value = getattr(module, "DROPOUT_TOLERANCE", 30) if source.defines("DROPOUT_TOLERANCE") else 30
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**9:
        report.error(_at(source, "DROPOUT_TOLERANCE"), f"DROPOUT_TOLERANCE: expected seconds, found {value!r}")


def _has_landing(module: ModuleType, source: Source, report: Report) -> bool:
    value = getattr(module, "LANDING_PAGE", False) if source.defines("LANDING_PAGE") else False
    if not isinstance(value, bool):
        report.error(_at(source, "LANDING_PAGE"), f"LANDING_PAGE: expected True or False, found {value!r}")
    return value is True


def _check_names(module: ModuleType, source: Source, report: Report) -> None:
    """Misspelt names, oTree's names, live methods outside of a page."""
    functions = [*MODULE_HOOKS, *LATER_MODULE_HOOKS, "page_order"]
    for name, line, node in source.names():
        where = f"{source.shown}:{line}"
        value = getattr(module, name, None)
        if name in OTREE_MODULE:
            report.error(where, f"{name} is oTree's name; here it is: {OTREE_MODULE[name]}")
        elif options_of(value) is not None:
            report.error(where, f"{name}: a @live method belongs into a page; indent it below its class")
        elif name in HOOK_KINDS and isinstance(value, FunctionType) and "page" in value.__code__.co_varnames[:1]:
            report.error(where, f"{name}: belongs to a page; move it into the class (indent it)")
        elif name in LATER_MODULE_HOOKS and callable(value):
            report.warn(where, f"{name} has no effect yet: it comes with a later version")
        if name.startswith("_") or name in functions or name in MODULE_VALUES or isinstance(node, ast.ClassDef):
            continue
        near = near_miss(name, functions if isinstance(value, FunctionType) else [*MODULE_VALUES, *functions])
        if near is not None and len(near) > 1 and not source.defines(near):
            report.error(where, f"{name}: did you mean '{near}'? Otherwise choose a less similar name")


def _page_order(module: ModuleType, source: Source, report: Report) -> tuple[list[Any] | None, Hook | None]:
    where = _at(source, "page_order")
    value = getattr(module, "page_order", None)
    if value is None:
        names = [name for name, _, _ in source.names()]
        if not any(near_miss(name, ["page_order"]) or name == "page_sequence" for name in names):
            pages = ", ".join(one.__name__ for one in pages_of(module))
            mend = f"add page_order = [{pages}]" if pages else "write class MyPage(Page), then page_order = [MyPage]"
            report.error(where, f"no page_order; {mend}")
        return [], None
    if isinstance(value, FunctionType):
        return None, _function(value, "page_order", ("player",), (), source, report, sync_only=True)
    if isinstance(value, Sequence):
        report.error(where, f"page_order: expected a list, found {value!r}; write page_order = [{value!r}]")
        return [], None
    if not isinstance(value, list | tuple):
        report.error(where, f"page_order: expected a list of pages or a function of player, found {value!r}")
        return [], None
    known = [one.__name__ for one in pages_of(module)]
    found = list(order.mistakes(value, known))
    for mistake in found:
        report.error(_where(mistake, source, report), f"page_order: {mistake.text}")
    if found:
        return [], None
    if not any(True for _ in pages_in(value)):
        report.error(where, f"page_order is empty; it needs at least one page, as in page_order = [{', '.join(known)}]")
    for one, other in order.namesakes(pages_in(value)):
        report.error(
            where,
            f"page_order: two pages are named {one.__name__} (of {one.__module__} and {other.__module__}); rename one",
        )
    _check_endless(value, source, report)
    return list(value), None


def _where(mistake: order.Mistake, source: Source, report: Report) -> str:
    """The line of the innermost sequence around a mistake, else that of the entry of the list."""
    found = mistake.within
    if found is not None and Path(found.file).is_relative_to(report.place.project):
        return f"{report.place.shown(Path(found.file))}:{found.line}"
    return f"{source.shown}:{source.item_line('page_order', mistake.index)}"


def _check_endless(items: list[Any] | tuple[Any, ...], source: Source, report: Report) -> None:
    """A Repeat that only player.add_round ends, which nothing in the app's code ever sets."""
    for repeat in sequences_in(items):
        if not isinstance(repeat, Repeat) or not repeat.asks_the_player:
            continue
        modules = {source.shown: source}
        for page in pages_in(repeat.items):
            for base in page.__mro__:
                found = report.source(base.__module__)
                if found is not None:
                    modules[found.shown] = found
        if not any(_mentions(one.tree, "add_round") for one in modules.values()):
            mistake = order.Mistake("", 0, repeat)
            report.error(
                _where(mistake, source, report),
                "page_order: Repeat never ends, since nothing sets player.add_round; write player.add_round = False in "
                "a hook of one of its pages (after_once, for example), or give it continue_with=0.75 or at_most=10",
            )


def _check_fields(items: list[Any], declared: dict[str, type], source: Source, report: Report) -> None:
    """Fields that a Between names and a declared player has not."""
    if "player" not in declared:
        return
    try:
        known = {*declared_fields(declared["player"]), *BUILT_IN, *ALWAYS}
    except (NameError, TypeError, AttributeError, SyntaxError):
        return  # a hint that cannot be read has been reported
    for between in sequences_in(items):
        if not isinstance(between, Between):
            continue
        within = [between.within] if isinstance(between.within, str) else list(between.within or ())
        for keyword, names in (("store", [between.store] if between.store else []), ("within", within)):
            for name in names:
                if name not in known:
                    near = near_miss(name, known)
                    mend = f"did you mean {near!r}?" if near else f"add {name}: str to it"
                    report.error(
                        _where(order.Mistake("", 0, between), source, report),
                        f"page_order: Between: {keyword}: class Player declares no {name!r}; {mend}",
                    )


def _mentions(tree: ast.AST, name: str) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Constant) and node.value == name)
        for node in ast.walk(tree)
    )


def pages_of(module: ModuleType) -> Iterator[type[Page]]:
    """The pages that a module defines or imports, those that serve as bases of others left out."""
    found = {
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Page) and one not in BUILT_IN_PAGES
    }
    bases = {base for one in found for base in one.__mro__[1:]}
    return (one for one in vars(module).values() if isinstance(one, type) and one in found - bases)


def _function(
    function: Callable[..., Any],
    name: str,
    parameters: tuple[str, ...],
    optional: tuple[str, ...],
    source: Source,
    report: Report,
    sync_only: bool = False,
) -> Hook:
    kind = HookKind(name, parameters, "module", optional, sync_only, acts=True)
    return hook_of(kind, function, None, _Named(name, source.shown, source.line(name)), report)


def _module_hooks(module: ModuleType, source: Source, report: Report) -> dict[str, Hook]:
    hooks = {}
    for name, (parameters, optional) in MODULE_HOOKS.items():
        value = getattr(module, name, None)
        if isinstance(value, FunctionType):
            hooks[name] = _function(value, name, parameters, optional, source, report, sync_only=name == "language")
        elif value is not None and source.defines(name):
            report.error(_at(source, name), f"{name}: expected def {name}({', '.join(parameters)}), found {value!r}")
    return hooks


def _every(module: ModuleType, source: Source, report: Report) -> tuple[EveryHandler, ...]:
    handlers = []
    for name, value in vars(module).items():
        seconds = interval_of(value)
        if seconds is not None and isinstance(value, FunctionType):
            hook = _function(value, name, ("session",), (), source, report)
            handlers.append(EveryHandler(name, seconds, value, hook.is_async, hook.file, hook.line))
    return tuple(handlers)


def _export(constants: Any, source: Source, report: Report) -> dict[str, Any]:
    """The constants that go to JavaScript: those that C.__export__ names."""
    names = getattr(constants, "__export__", ())
    where = _at(source, "C")
    if names is Ellipsis:
        names = [name for name in vars(constants) if not name.startswith("_")]
    if isinstance(names, str) or not isinstance(names, list | tuple | set | frozenset):
        report.error(where, f'C.__export__: expected names, as in ["ENDOWMENT"], found {names!r}')
        return {}
    export = {}
    for name in names:
        if not isinstance(name, str) or not hasattr(constants, name):
            near = near_miss(str(name), [one for one in vars(constants) if not one.startswith("_")])
            mend = f"; did you mean {near!r}?" if near else "; define it in C, or leave it out"
            report.error(where, f"C.__export__: C has no {name!r}{mend}")
            continue
        value = getattr(constants, name)
        try:
            to_browser(value)
        except NotSerialisable:
            report.error(
                where, f"C.{name}: JavaScript cannot have a {type(value).__name__}; leave it out of __export__"
            )
            continue
        export[name] = value
    return export


def _context(module: ModuleType, source: Source, report: Report) -> type[PlayerContext] | None:
    value = getattr(module, "Context", None)
    for name, one in vars(module).items():
        ours = isinstance(one, type) and issubclass(one, PlayerContext) and one is not PlayerContext
        if ours and name != "Context" and value is None:
            report.error(_at(source, name), f"{name}: a PlayerContext is named Context; rename it")
    if value is None or not source.defines("Context"):
        return None
    if not (isinstance(value, type) and issubclass(value, PlayerContext)):
        report.error(_at(source, "Context"), "Context: write class Context(PlayerContext)")
        return None
    for name, member in vars(value).items():
        function = member.fget if isinstance(member, property) else member
        if inspect.iscoroutinefunction(function):
            where = f"{source.shown}:{source.line(f'Context.{name}')}"
            report.error(where, f"Context.{name}: templates cannot await; write def without async")
    return value


def _declared(module: ModuleType, source: Source, report: Report) -> dict[str, type]:
    """The declared records of the app: {"player": Player, ...}."""
    declared: dict[str, type] = {}
    for name, value in vars(module).items():
        if not isinstance(value, type) or not source.defines(name):
            continue
        for kind, base in _DECLARED.items():
            expected = kind.capitalize()
            if issubclass(value, base) and value is not base:
                if name != expected:
                    report.error(_at(source, name), f"{name}: declared {kind} fields are named {expected}; rename it")
                    continue
                declared[kind] = value
                try:
                    fields = declared_fields(value)
                except (NameError, TypeError, AttributeError, SyntaxError) as problem:
                    report.error(_at(source, name), f"{name}: a type hint cannot be read: {problem}")
                    continue
                for field in BUILT_IN.intersection(fields):
                    mend = f"choose another name, such as participant_{field}"
                    report.error(_at(source, f"{name}.{field}"), f"{name}.{field}: '{field}' is built in; {mend}")
            elif name == expected and not issubclass(value, base):
                report.error(_at(source, name), f"{name}: write class {name}({base.__name__})")
    return declared
