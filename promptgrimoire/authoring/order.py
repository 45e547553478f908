"""`page_order`: which pages a player meets, as a list or as a function of the player.

Owns what may stand in it and how a mistake in it reads. Never moves anybody.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from promptgrimoire.authoring.pages import BUILT_IN_PAGES, GroupCreatingWait, NoshowPage, Page, SynchronizingWait

_DEEPEST = 20


def flattened(items: Iterable[Any], index: int | None = None, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """The entries of a (nested) list, each with its index in the outermost one."""
    for number, item in enumerate(items):
        outer = number if index is None else index
        if isinstance(item, list | tuple) and depth < _DEEPEST:  # a list may hold itself
            yield from flattened(item, outer, depth + 1)
        else:
            yield outer, item


def wrong_entry(item: Any, known: Iterable[str]) -> str | None:
    """What is wrong with an entry of page_order, and the mend; None for a page."""
    if isinstance(item, type) and issubclass(item, Page):
        if item in BUILT_IN_PAGES:
            return f"{item.__name__} itself cannot be shown; write class MyPage({item.__name__}) and name that"
        if issubclass(item, NoshowPage | GroupCreatingWait | SynchronizingWait):
            kind = next(one for one in item.__mro__ if one in BUILT_IN_PAGES)
            return f"{item.__name__} is a {kind.__name__}, which comes with the next version"
        return None
    if isinstance(item, str):
        near = difflib.get_close_matches(item, list(known), 1)
        return f"expected a page, found the text {item!r}; write {near[0] if near else item} without quotes"
    if isinstance(item, Page):
        return f"expected a page, found {type(item).__name__}(); write {type(item).__name__} without parentheses"
    if isinstance(item, type):
        return f"expected a page, found the class {item.__name__}; write class {item.__name__}(Page)"
    if isinstance(item, ModuleType):
        return f"expected a page, found the module {item.__name__}; name its pages, or use *{item.__name__}.page_order"
    if item is Ellipsis or item is None:
        return f"expected a page, found {item!r}; remove it"
    return f"expected a page, found {item!r}; name classes that derive from Page"


def namesakes(pages: Iterable[type[Page]]) -> Iterator[tuple[type[Page], type[Page]]]:
    """Pairs of different pages with one name."""
    seen: dict[str, type[Page]] = {}
    for page in pages:
        other = seen.setdefault(page.__name__, page)
        if other is not page:
            yield other, page
