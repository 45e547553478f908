"""The loading checks of wait pages: their attributes, what belongs to which kind, what only makes sense together.

Owns the table of the attributes that only wait pages have. Never runs a wait page (runtime.waiting does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from promptgrimoire.authoring.pages import BUILT_IN_PAGES, GroupCreatingWait, Page, PageSpec, SynchronizingWait
from promptgrimoire.authoring.vocabulary import near_miss

# Attributes of wait pages and what their values are, in words.
ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "group_size": "a whole number of players",
        "min_size": "a whole number of players",
        "roles": 'a tuple of texts, one for each member, as in ("buyer", "seller")',
        "synchronize": '"group" or "session"',
        "patience": "seconds (a number above 0)",
        "if_missing": '"wait", "proceed", "dissolve", or a page',
    }
)
_GROUPING = ("group_size", "min_size", "roles", "group_by", "after_grouping")
_SYNCHRONIZING = ("synchronize", "wait_for", "all_here")
_WAITING = ("patience", "if_missing", "missing")
_POLICIES = ("wait", "proceed", "dissolve")
# What has no use on a page without a form.
_OF_FORMS = (
    *("fields", "allow_back", "keep_values", "stealth_fields"),
    *("validate", "before_form_save", "handle_stealth_fields", "may_proceed"),
)


class Members(Protocol):
    """Where a page's members stand, and where to say what is wrong (`checks.Report`)."""

    def error(self, where: str, text: str) -> None: ...

    def where(self, owner: type, member: str = "") -> tuple[str, int]: ...


def check_wait(page: type[Page], members: Iterable[str], settings: Mapping[str, Any], report: Members) -> None:
    """What is wrong with the attributes and hooks of a page as far as waiting goes. `members`: names it defines."""
    names = list(members)
    for name in names:
        mend = _misplaced(page, name)
        if mend is not None:
            report.error(_at(page, name, report), f"{_full(page, name)}: {mend}")
    if not issubclass(page, GroupCreatingWait | SynchronizingWait):
        return
    for name, problem in _values(page, settings):
        report.error(_at(page, name, report), f"{_full(page, name)}: {problem}")
    if settings.get("patience") is not None:
        return
    for name in ("min_size", "missing", "if_missing"):
        if name in names and settings.get(name, "") not in (None, "wait"):
            report.error(
                _at(page, name, report),
                f"{_full(page, name)}: acts only once a player has waited so long; add patience = 120 (seconds)",
            )


def check_group_size(page: type[Page], settings: Mapping[str, Any], report: Members) -> None:
    """A page that is shown and forms groups must say of how many."""
    if issubclass(page, GroupCreatingWait) and settings.get("group_size") is None:
        report.error(
            _at(page, "", report), f"{page.__name__} does not say how large its groups are; add group_size = 2"
        )


def check_targets(specs: Iterable[PageSpec], report: Members) -> None:
    """`if_missing` may lead to a page only that players can get to. A page that it names takes the name's place."""
    found = list(specs)
    known = {spec.page for spec in found}
    named = {name: spec.page for spec in found for name in (spec.key, spec.name)}
    for spec in found:
        target = spec.settings.get("if_missing")
        if isinstance(target, str) and target not in _POLICIES and spec.waits:
            if target in named and _is_policy(named[target]):
                spec.settings["if_missing"] = named[target]
                continue
            near = near_miss(target, (*_POLICIES, *named))
            mend = f"did you mean {near!r}?" if near is not None else "of a page, write the name that is in page_order"
            name = _full(spec.page, "if_missing")
            expected = f"{name}: expected {ATTRIBUTES['if_missing']}, found {target!r}; {mend}"
            report.error(_at(spec.page, "if_missing", report), expected)
        if isinstance(target, type) and target not in known:
            where = _at(spec.page, "if_missing", report)
            name = _full(spec.page, "if_missing")
            report.error(where, f"{name}: {target.__name__} is not in page_order; add it there")


def _misplaced(page: type[Page], name: str) -> str | None:
    """Why this member does not belong to such a page, and the mend; None where it does."""
    if issubclass(page, GroupCreatingWait):
        if name in _SYNCHRONIZING:
            instead = {"all_here": "after_grouping", "wait_for": "group_by"}.get(name)
            mend = f"here it is {instead}" if instead else "remove it"
            return f"belongs to a SynchronizingWait, and this is a GroupCreatingWait; {mend}"
    elif issubclass(page, SynchronizingWait):
        if name in _GROUPING:
            mend = (
                "here it is all_here" if name == "after_grouping" else f"write class {page.__name__}(GroupCreatingWait)"
            )
            return f"belongs to a GroupCreatingWait, and this is a SynchronizingWait; {mend}"
    elif name in (*_GROUPING, *_SYNCHRONIZING, *_WAITING):
        kind = "SynchronizingWait" if name in (*_SYNCHRONIZING, *_WAITING) else "GroupCreatingWait"
        return f"belongs to a wait page; write class {page.__name__}({kind}), or rename it"
    if issubclass(page, GroupCreatingWait | SynchronizingWait) and name in _OF_FORMS:
        return "a wait page has no form and no buttons; remove it, or move it to the page before"
    return None


def _values(page: type[Page], settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Attributes with a value that does not fit, and what is wrong."""
    size = settings.get("group_size")
    for name in ATTRIBUTES:
        if name not in settings or _misplaced(page, name) is not None:
            continue
        value = settings[name]
        fits = {
            "group_size": _is_count(value),
            "min_size": value is None or _is_count(value),
            "roles": isinstance(value, list | tuple) and all(isinstance(role, str) and role for role in value),
            "synchronize": isinstance(value, str) and value in ("group", "session"),
            "patience": value is None or _is_number(value),
            "if_missing": _is_policy(value),
        }[name]
        if not fits:
            words = ("group", "session") if name == "synchronize" else ()
            near = near_miss(value, words) if isinstance(value, str) else None
            mend = f"; did you mean {near!r}?" if near is not None else ""
            yield name, f"expected {ATTRIBUTES[name]}, found {value!r}{mend}"
        elif name == "min_size" and value is not None and _is_count(size) and value > size:
            yield name, f"expected at most group_size ({size}), found {value}"
        elif name == "roles" and value and _is_count(size) and len(value) != size:
            yield (
                name,
                f"expected one for each of the {size} members, found {len(value)}; name a role several times where "
                "several members have it",
            )
        elif name == "if_missing" and value == "dissolve" and issubclass(page, GroupCreatingWait):
            yield name, 'here is no group yet that could be dissolved; write "proceed" (alone), or name a page'
        elif name == "if_missing" and value == "dissolve" and settings.get("synchronize") == "session":
            yield name, 'nobody can be put out of a session; write "proceed", or name a page'


def _is_policy(value: Any) -> bool:
    if isinstance(value, type):
        return issubclass(value, Page) and value not in BUILT_IN_PAGES
    return isinstance(value, str)  # a policy, or the name of a page: see check_targets


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 10**9


def _owner(page: type[Page], name: str) -> type[Page]:
    return next((one for one in page.__mro__ if issubclass(one, Page) and name in vars(one)), page)


def _full(page: type[Page], name: str) -> str:
    return f"{_owner(page, name).__name__}.{name}"


def _at(page: type[Page], name: str, report: Members) -> str:
    file, line = report.where(_owner(page, name) if name else page, name)
    return f"{file}:{line}"
