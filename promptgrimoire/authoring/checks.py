"""The loading checks of pages: members, hooks, live methods, attributes, templates. Each problem with file, line, mend.

Owns what a page class must look like, and makes its `PageSpec`. Collects problems in a `Report` rather than stopping at
the first; never imports an experiment (loading.py does).
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2

from promptgrimoire.authoring import field_checks, wait_checks
from promptgrimoire.authoring.arguments import Arguments, CannotValidate
from promptgrimoire.authoring.live import LiveMethod, LiveOptions, never_waits, options_of, without_waiting
from promptgrimoire.authoring.loading import Place
from promptgrimoire.authoring.pages import (
    BUILT_IN_PAGES,
    HOOK_KINDS,
    GroupCreatingWait,
    Hook,
    HookKind,
    NoshowPage,
    Page,
    PageSpec,
    SynchronizingWait,
    plain_function,
)
from promptgrimoire.authoring.schedule import interval_of
from promptgrimoire.authoring.source import Source
from promptgrimoire.authoring.templates import ALWAYS, OWN_TEMPLATES, PageTemplate, Templates
from promptgrimoire.authoring.vocabulary import ATTRIBUTES, MODULE_HOOKS, OTREE_MEMBERS, near_miss

_INVOKE = re.compile(r"""\b(?:grimoire|uproot)\.(?:invoke|send)\(\s*["'](\w+)["']""")
_NEXT_VERSION = "comes with the next version; remove it until then"
_WAITS = (GroupCreatingWait, SynchronizingWait)
_OF_LOGIC = ("before_always_once", "after_always_once")  # the hooks of a NoshowPage
_OF_SHOWN: Mapping[str, str] = MappingProxyType(
    {
        "before_once": "rename it to before_always_once",
        "after_once": "rename it to after_always_once",
        "show": "write the condition into before_always_once",
    }
)


class Report:
    """Problems and warnings of one loading, each once, in the order in which they were found."""

    def __init__(self, place: Place, sources: dict[str, Source]) -> None:
        self.place = place
        self._sources = sources  # by module name
        self._problems: dict[str, None] = {}
        self._warnings: dict[str, None] = {}

    @property
    def problems(self) -> list[str]:
        return list(self._problems)

    @property
    def warnings(self) -> list[str]:
        return list(self._warnings)

    def error(self, where: str, text: str) -> None:
        """`where` is "file:line"."""
        self._problems[f"{where}: {text}"] = None

    def warn(self, where: str, text: str) -> None:
        self._warnings[f"{where}: {text}"] = None

    def source(self, module: str) -> Source | None:
        """The source of a module of the project."""
        if module not in self._sources:
            file = getattr(sys.modules.get(module), "__file__", None)
            if file is None or not Path(file).is_relative_to(self.place.project) or not file.endswith(".py"):
                return None
            self._sources[module] = Source(Path(file), self.place.shown(file))
        return self._sources[module]

    def where(self, owner: type, member: str = "") -> tuple[str, int]:
        """File and line of a class or of one of its members."""
        source = self.source(owner.__module__)
        if source is None:
            return self.place.shown(self.place.file), 1
        return source.shown, source.line(f"{owner.__name__}.{member}" if member else owner.__name__)


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of a page, as its class (or a base of it) defines it."""

    owner: type[Page]
    name: str
    value: Any
    file: str
    line: int

    @property
    def at(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def full(self) -> str:
        return f"{self.owner.__name__}.{self.name}"


def authors_classes(page: type[Page]) -> list[type[Page]]:
    """The page and those of its bases that an author wrote, nearest first."""
    return [one for one in page.__mro__ if issubclass(one, Page) and one not in BUILT_IN_PAGES]


def check_page(page: type[Page], report: Report) -> tuple[dict[str, Hook], dict[str, LiveMethod], dict[str, Any]]:
    """Hooks, live methods and attributes of a page; what is wrong with them goes to the report."""
    hooks: dict[str, Hook] = {}
    live: dict[str, LiveMethod] = {}
    settings: dict[str, Any] = {}
    members: dict[str, _Member] = {}
    for owner in reversed(authors_classes(page)):
        for name, value in vars(owner).items():
            if not name.startswith("_"):
                members[name] = _Member(owner, name, value, *report.where(owner, name))
    for name, member in members.items():
        function, takes_page = plain_function(member.value)
        options = options_of(function) if function is not None else None
        if function is not None and options is not None:
            method = _live_method(member, function, options, isinstance(member.value, staticmethod), report)
            if method is not None:
                live[name] = method
        elif name in HOOK_KINDS and (function is not None or name not in ATTRIBUTES):
            if function is None:
                report.error(member.at, f"{member.full}: expected a function, {HOOK_KINDS[name].signature}")
            else:
                hooks[name] = hook_of(HOOK_KINDS[name], function, page if takes_page else None, member, report)
        elif name in ATTRIBUTES:
            settings[name] = _attribute(member, report)
        elif name in wait_checks.ATTRIBUTES:
            settings[name] = member.value
        else:
            _check_other(member, function, members, report)
    wait_checks.check_wait(page, members, settings, report)
    reached = hooks.get("timeout_reached")
    if reached is not None and "timeout" not in hooks and settings.get("timeout") is None:
        member = members["timeout_reached"]
        report.error(member.at, f"{member.full}: nothing calls it: {page.__name__} has no timeout; add timeout = 60")
    return hooks, live, settings


def hook_of(kind: HookKind, function: Callable[..., Any], page: type[Page] | None, member: Any, report: Report) -> Hook:
    """A page's hook, or (with `page` None) a function without `page`. `member` has at, full, file, line."""
    expected = (("page",) if page is not None else ()) + kind.parameters
    signature = inspect.signature(function)
    names = list(signature.parameters)
    open_ended = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.parameters.values())
    optional = tuple(name for name in kind.optional if name in names or open_ended)
    try:
        signature.bind(*expected, **dict.fromkeys(optional))
        fits = page is None or names[0] not in kind.parameters
    except TypeError:
        fits = False
    if not fits:
        forms = f"({', '.join(expected)})" + "".join(f" or ({', '.join((*expected, one))})" for one in kind.optional)
        report.error(member.at, f"{member.full}: expected {forms}, found ({', '.join(names)})")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        report.error(member.at, f"{member.full}: a hook returns its value and cannot yield; write return")
    is_async = inspect.iscoroutinefunction(function)
    if is_async and kind.sync_only:
        report.error(member.at, f"{member.full}: cannot be async; write def without async")
    if not kind.acts:
        report.error(member.at, f"{member.full}: this hook {_NEXT_VERSION}")
    return Hook(kind.name, function, is_async, page, optional, member.file, member.line)


def _live_method(
    member: _Member, function: Callable[..., Any], options: LiveOptions, is_static: bool, report: Report
) -> LiveMethod | None:
    before = len(report.problems)
    names = [
        one.name
        for one in inspect.signature(function).parameters.values()
        if one.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if is_static:
        report.error(member.at, f"{member.full}: a live method gets (page, player, ...); remove @staticmethod")
    elif len(names) < 2 or names[0] == "player" or names[1] != "player":
        rest = [name for name in names if name not in ("page", "self", "cls") and near_miss(name, ["player"]) is None]
        mend = ", ".join(("page", "player", *(name for name in rest if name != "player")))
        report.error(
            member.at,
            f"{member.full}: a live method's first parameters are (page, player), found ({', '.join(names)}); "
            f"write def {member.name}({mend})",
        )
    if member.name in HOOK_KINDS or member.name in ATTRIBUTES:
        kind = "a hook" if member.name in HOOK_KINDS else "a page attribute"
        report.error(member.at, f"{member.full}: a live method cannot be named like {kind}; rename it")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        report.error(member.at, f"{member.full}: streaming with yield comes with a later version; return the value")
    if len(report.problems) > before:
        return None
    try:
        signature = Arguments(function, skip=2)
    except CannotValidate as problem:
        report.error(member.at, f"{member.full}: {problem}")
        return None
    is_async = inspect.iscoroutinefunction(function)
    if is_async and never_waits(function):
        function, is_async = without_waiting(function), False
    return LiveMethod(member.name, function, is_async, options, signature, member.file, member.line)


def _check_other(member: _Member, function: Any, members: dict[str, _Member], report: Report) -> None:
    """A member that is none of ours: the author's own, or a mistake."""
    name = member.name
    if name in OTREE_MEMBERS:
        report.error(member.at, f"{member.full} is oTree's name; here it is: {OTREE_MEMBERS[name]}")
        return
    if function is not None and interval_of(function) is not None:
        report.error(member.at, f"{member.full}: @every belongs to a function of the module, def {name}(session)")
    if function is not None and name in MODULE_HOOKS:
        mend = f"def {name}({', '.join(MODULE_HOOKS[name][0])})"
        report.error(
            member.at, f"{member.full}: belongs to the module, not to a page; move it out of the class: {mend}"
        )
    of_waits = wait_checks.ATTRIBUTES if issubclass(member.owner, _WAITS) else ()
    near = near_miss(name, [*HOOK_KINDS, *ATTRIBUTES, *of_waits])
    if near is not None and near not in members:
        report.error(member.at, f"{member.full}: did you mean '{near}'? Otherwise choose a less similar name")


def _attribute(member: _Member, report: Report) -> Any:
    name, value = member.name, member.value
    texts = isinstance(value, list | tuple | set | frozenset) and all(isinstance(one, str) for one in value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    fits = {
        "template": value is None or (isinstance(value, str) and value.endswith((".html", ".md"))),
        "title": value is None or isinstance(value, str),
        "fields": isinstance(value, dict),
        "allow_back": isinstance(value, bool),
        "timeout": value is None or (number and value < 10**9),
        "keep_values": isinstance(value, bool),
        "stealth_fields": texts or isinstance(value, str),
        "live_fields": texts or isinstance(value, str),
        "live_inputs": isinstance(value, dict),
        "tabs": isinstance(value, str) and value in ("allow", "takeover", "refuse"),
    }[name]
    if not fits:
        report.error(member.at, f"{member.full}: expected {ATTRIBUTES[name]}, found {value!r}")
    elif name == "fields":
        source = report.source(member.owner.__module__)
        for field, problem in field_checks.field_problems(value):
            line = field_checks.field_line(source.tree if source else None, member.owner.__name__, field)
            report.error(f"{member.file}:{line or member.line}", f"{member.full}: {problem}")
    elif name == "live_inputs" and value:
        report.error(member.at, f"{member.full}: {_NEXT_VERSION}")
    elif name == "live_fields" and value:
        report.warn(member.at, f"{member.full} has no effect yet: it comes with a later version")
    return value


# -------------------------------------------------------------------- templates


def page_spec(page: type[Page], app: str, templates: Templates, report: Report) -> PageSpec:
    """What the runtime needs to know of a page that is shown; also kept as `page.__grimoire__`."""
    hooks, live, settings = check_page(page, report)
    template: PageTemplate | None = None
    heading = ""
    wait_checks.check_group_size(page, settings, report)
    if issubclass(page, NoshowPage):
        _check_logic(page, [*hooks, *live, *settings], report)
    else:
        template, heading = _template(page, settings.get("template"), templates, report, live, hooks)
    name = page.__name__
    title = settings.get("title") or heading
    if not title and not issubclass(page, _WAITS):  # there it is "Please wait", in the participant's language
        title = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    file, line = report.where(page)
    tabs = str(settings.get("tabs", "allow"))
    spec = PageSpec(name, f"{app}/{name}", app, title, page, hooks, live, template, tabs, file, line, settings)
    page.__grimoire__ = spec
    page.__grimoire_keys__ = {**vars(page).get("__grimoire_keys__", {}), app: spec.key}
    return spec


def _check_logic(page: type[Page], members: list[str], report: Report) -> None:
    """What a page that is never shown has no use for would be ignored."""
    for name in members:
        if name in _OF_LOGIC:
            continue
        owner = next(one for one in authors_classes(page) if name in vars(one))
        file, line = report.where(owner, name)
        mend = _OF_SHOWN.get(name, f"move it to a page that is shown; a NoshowPage has {' and '.join(_OF_LOGIC)}")
        report.error(f"{file}:{line}", f"{owner.__name__}.{name}: a NoshowPage is never shown; {mend}")


def _template(
    page: type[Page],
    named: Any,
    templates: Templates,
    report: Report,
    live: dict[str, LiveMethod],
    hooks: dict[str, Hook],
) -> tuple[PageTemplate | None, str]:
    """The page's template and the heading it starts with."""
    if isinstance(named, str):
        owner = next(one for one in authors_classes(page) if "template" in vars(one))
        file, line = report.where(owner, "template")
        if templates.path_of(named) is None:
            near = near_miss(named, templates.known())
            mend = f"did you mean {near!r}?" if near else f"add it to the folder {report.place.folder.name}/"
            report.error(f"{file}:{line}", f"{page.__name__}.template: there is no {named}; {mend}")
            return None, ""
        return _from_file(named, page, templates, report, live, hooks)
    for one in authors_classes(page):
        for name in (f"{one.__name__}.html", f"{one.__name__}.md"):
            path = templates.path_of(name)
            if path is not None and not path.is_relative_to(OWN_TEMPLATES):  # a page may be named Base
                return _from_file(name, page, templates, report, live, hooks)
        docstring = inspect.cleandoc(vars(one).get("__doc__") or "")
        if docstring.startswith("# "):
            return _from_docstring(one, docstring, templates, report, live, hooks)
    if issubclass(page, _WAITS):
        return templates.file("Wait.html"), ""
    if getattr(page, "fields", None):
        return templates.file("Fields.html"), ""
    file, line = report.where(page)
    expected = f"{page.__name__}.html"
    near = near_miss(expected, templates.known())
    beside = report.place.shown(report.place.folder / expected)
    mend = f"rename {near} to {expected}" if near else f"add {beside} (or {page.__name__}.md)"
    report.error(
        f"{file}:{line}",
        f"page {page.__name__} has no template; {mend}, or make its docstring the page: one that starts with '# '",
    )
    return None, ""


def _from_file(
    name: str,
    page: type[Page],
    templates: Templates,
    report: Report,
    live: dict[str, LiveMethod],
    hooks: dict[str, Hook],
) -> tuple[PageTemplate | None, str]:
    problems = list(templates.problems(name))
    for problem in problems:
        report.error(f"{problem.file}:{problem.line}", problem.text)
    if problems:
        return None, ""
    path = templates.path_of(name)
    assert path is not None
    try:
        template = templates.file(name)
    except jinja2.TemplateSyntaxError as problem:
        report.error(f"{templates.shown(path)}:{problem.lineno}", problem.message or "syntax error")
        return None, ""
    text = path.read_text("utf-8")
    lowered = text.lower()
    if not template.is_markdown and "{% extends" not in text.replace("{%-", "{% ") and "<html" not in lowered:
        report.error(
            f"{template.file}:1", 'has no frame, so there would be no Next; add {% extends "Base.html" %} as first line'
        )
    _check_calls(text, template.file, 1, page, report, live)
    _check_words(text, template.file, 1, templates, report, hooks)
    unshown = None if template.is_markdown else field_checks.unshown(text, getattr(page, "fields", None))
    if unshown:
        report.warn(f"{template.file}:1", f"{page.__name__} {unshown}")
    return template, _heading(text) if template.is_markdown else ""


def _from_docstring(
    owner: type[Page],
    text: str,
    templates: Templates,
    report: Report,
    live: dict[str, LiveMethod],
    hooks: dict[str, Hook],
) -> tuple[PageTemplate | None, str]:
    source = report.source(owner.__module__)
    path, shown, line = (
        (source.path, source.shown, source.docstring_line(owner.__name__))
        if source is not None
        else (report.place.file, report.place.shown(report.place.file), 1)
    )
    _check_calls(text, shown, line, owner, report, live)
    _check_words(text, shown, line, templates, report, hooks)
    try:
        return templates.docstring(text, f"{owner.__name__} (docstring)", path, line), _heading(text)
    except jinja2.TemplateSyntaxError as problem:
        report.error(f"{shown}:{problem.lineno}", f"docstring of {owner.__name__}: {problem.message}")
        return None, ""


def _heading(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return first[2:].strip() if first.startswith("# ") and "{" not in first else ""


def _check_calls(
    text: str, file: str, first_line: int, page: type[Page], report: Report, live: dict[str, LiveMethod]
) -> None:
    """Calls of live methods that the page does not have would only fail in the participant's browser."""
    for match in _INVOKE.finditer(text):
        if match[1] not in live:
            line = first_line + text.count("\n", 0, match.start())
            near = near_miss(match[1], live)
            mend = f"did you mean {near}?" if near else "does it lack @live?" if hasattr(page, match[1]) else ""
            report.warn(f"{file}:{line}", f"{page.__name__} has no live method {match[1]!r}; {mend}".rstrip("; "))


def _check_words(
    text: str, file: str, first_line: int, templates: Templates, report: Report, hooks: dict[str, Hook]
) -> None:
    """Names that nothing defines would only fail when a participant arrives there."""
    if "templatevars" in hooks:
        return  # any name may come from there
    for name, line in templates.unknown_names(text).items():
        near = near_miss(name, ALWAYS)
        mend = f"did you mean '{near}'?" if near else "templatevars can define it"
        report.warn(f"{file}:{first_line + line - 1}", f"nothing defines '{name}'; {mend}")
