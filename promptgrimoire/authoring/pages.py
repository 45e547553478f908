"""Pages and their hooks: what a researcher declares, and what the loader makes of it.

Owns the classes that authors subclass, the table of all hooks in their order, and `PageSpec`, which a loaded page
carries as `page.__grimoire__`. Never runs the flow (runtime.flow does) and never loads files (experiment.py does).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, ClassVar

from promptgrimoire.authoring.live import LiveMethod
from promptgrimoire.authoring.templates import PageTemplate
from promptgrimoire.context import current
from promptgrimoire.errors import NoTransaction

# A plain function whose first parameter has one of these names is called with the page class.
PAGE_PARAMETERS = ("page", "cls", "self")


class Page:
    """One screen. Attributes and hooks as in the documentation; any other function on a page is the author's own.

    Pages are never instantiated: hooks and live methods get the class as `page`. A function whose first parameter is
    `page` is bound to the class, so that `page.set_payoff(player)` works for `def set_payoff(page, player)` and, being
    an ordinary function on a class, for `def set_payoff(player)` just as well.
    """

    template: Any = (
        None  # "Counter.html", "market/Counter.html", "Counter.md"; None: <PageName>.html, .md or the docstring
    )
    title: Any = None  # text of the browser's tab
    fields: Any = {}  # noqa: RUF012  # by name, as in dict(age=IntegerField(label="Age"))
    allow_back: Any = False
    timeout: Any = None  # seconds, from entering the page
    keep_values: Any = False
    stealth_fields: Any = ()
    live_fields: Any = ()
    live_inputs: Any = {}  # noqa: RUF012
    tabs: Any = "allow"  # or "takeover", "refuse"

    __grimoire__: ClassVar[PageSpec]
    __grimoire_keys__: ClassVar[Mapping[str, str]]  # by app: several may import one page

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, member in list(vars(cls).items()):
            if isinstance(member, FunctionType) and _first_parameter(member) in PAGE_PARAMETERS:
                setattr(cls, name, classmethod(member))


class NoshowPage(Page):
    """Logic between two pages, never shown: `before_always_once`, then `after_always_once`, then on."""


class GroupCreatingWait(Page):
    """A wait page that forms groups of those who are present, in the order of their arrival."""

    group_size: Any = None  # players
    min_size: Any = None  # what a group may do with once a member has waited for `patience`
    roles: Any = ()  # one for each member: player.role
    patience: Any = None  # seconds, from a player's arrival
    if_missing: Any = "wait"  # or "proceed" (without a group), or a page


class SynchronizingWait(Page):
    """A wait page that releases its players together, once all of the group (or session) have arrived."""

    synchronize: Any = "group"  # or "session"
    patience: Any = None  # seconds, from a player's arrival
    if_missing: Any = "wait"  # or "proceed", "dissolve", or a page

    @classmethod
    async def may_proceed(cls, player: Any) -> bool:
        """In `show`, `return not await page.may_proceed(player)` skips the page where nobody has to be waited for."""
        activity = current.get()
        if activity is None or activity.record is None:
            raise NoTransaction("page.may_proceed(player) works only in hooks and live methods of a session")
        return await activity.services.may_proceed(player, cls)


BUILT_IN_PAGES: tuple[type[Page], ...] = (Page, NoshowPage, GroupCreatingWait, SynchronizingWait)


class PlayerContext:
    """Base of an app's `Context`: its properties, computed from `self.player`, are `player.context.x` in templates."""

    def __init__(self, player: Any) -> None:
        self.player = player


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The request that led a player to a page, as `early` gets it. Frozen, and stored nowhere."""

    method: str
    params: Mapping[str, str]  # of the address, what follows "?"
    headers: Mapping[str, str]  # names in lower case; without cookies
    client: str  # the network address that it came from


@dataclass(frozen=True, slots=True)
class HookKind:
    """A hook that pages may define: `parameters` follow `page`; `optional` ones are given where named."""

    name: str
    parameters: tuple[str, ...]
    when: str  # "entering", "rendering", "submission", "waiting"
    optional: tuple[str, ...] = ()
    sync_only: bool = False
    acts: bool = False  # False: comes with the next version, and defining it is a loading error

    @property
    def signature(self) -> str:
        return f"def {self.name}({', '.join(('page', *self.parameters))})"


# Every hook, in the order in which the hooks of a page run.
HOOKS: tuple[HookKind, ...] = (
    HookKind("early", ("player", "request"), "entering", acts=True),
    HookKind("before_always_once", ("player",), "entering", acts=True),
    HookKind("show", ("player",), "entering", acts=True),
    HookKind("before_once", ("player",), "entering", acts=True),
    HookKind("timeout", ("player",), "entering", acts=True),
    HookKind("fields", ("player",), "rendering", acts=True),
    HookKind("templatevars", ("player",), "rendering", acts=True),
    HookKind("jsvars", ("player",), "rendering", acts=True),
    HookKind("live_vars", ("player",), "rendering", sync_only=True),
    HookKind("live_shared", ("group",), "rendering", sync_only=True),
    HookKind("validate", ("player", "data"), "submission", acts=True),
    HookKind("before_form_save", ("player", "data"), "submission", acts=True),
    HookKind("handle_stealth_fields", ("player", "data"), "submission", acts=True),
    HookKind("may_proceed", ("player",), "submission", acts=True),
    HookKind("timeout_reached", ("player",), "submission", acts=True),
    HookKind("after_once", ("player",), "submission", optional=("timed_out",), acts=True),
    HookKind("after_always_once", ("player",), "submission", optional=("timed_out",), acts=True),
    HookKind("group_by", ("player",), "waiting", acts=True),
    HookKind("after_grouping", ("group",), "waiting", acts=True),
    HookKind("wait_for", ("player",), "waiting", acts=True),
    HookKind("all_here", ("group",), "waiting", acts=True),
    HookKind("missing", ("group", "absent"), "waiting", acts=True),
)
HOOK_KINDS: dict[str, HookKind] = {kind.name: kind for kind in HOOKS}


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """An author's hook, ready to be called: of a page (`page` is passed on) or of a module (`page` is None)."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    page: type[Page] | None
    optional: tuple[str, ...]  # which optional arguments it takes
    file: str
    line: int

    def __call__(self, *arguments: Any, **optional: Any) -> Any:
        """The hook's value, or, where `is_async`, a coroutine. Optional arguments it does not name are left out."""
        if optional:
            optional = {name: value for name, value in optional.items() if name in self.optional}
        if self.page is None:
            return self.function(*arguments, **optional)
        return self.function(self.page, *arguments, **optional)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, eq=False)
class PageSpec:
    """What the loader knows about one page. `key` is "app/Name" and stays the same across reloads."""

    name: str
    key: str
    app: str
    title: str
    page: type[Page]
    hooks: dict[str, Hook]
    live: dict[str, LiveMethod]
    template: PageTemplate | None
    tabs: str
    file: str
    line: int
    settings: dict[str, Any] = field(default_factory=dict)  # attributes, where the page or a base of it sets them

    @property
    def is_logic(self) -> bool:
        """Whether this is a NoshowPage."""
        return issubclass(self.page, NoshowPage)

    @property
    def waits(self) -> bool:
        """Whether this is a wait page: what releases its players is not a submission."""
        return issubclass(self.page, GroupCreatingWait | SynchronizingWait)

    @property
    def asks_nothing(self) -> bool:
        """Whether there is nothing to do on this page but read it, and nobody to wait for."""
        asks = self.settings.get("fields") or "fields" in self.hooks or self.settings.get("live_inputs") or self.live
        return not (asks or self.waits)

    def call(self, hook: str, *arguments: Any, **optional: Any) -> Any:
        """The value (or coroutine) of a hook; None where the page does not define it."""
        found = self.hooks.get(hook)
        return None if found is None else found(*arguments, **optional)


def key_of(page: type[Page], app: str) -> str:
    """A page's key as an app shows it, "app/Name"; of a page of another app, that one's."""
    keys: Mapping[str, str] = vars(page).get("__grimoire_keys__", {})
    return keys.get(app, page.__grimoire__.key)


def call_hook(page: type[Page] | PageSpec, name: str, *arguments: Any, **optional: Any) -> Any:
    """Call a hook of a loaded page: `call_hook(page, "show", player)`. None where the page does not define it.

    The result of an async hook is its coroutine: whoever steps author code awaits it.
    """
    spec = page if isinstance(page, PageSpec) else page.__grimoire__
    return spec.call(name, *arguments, **optional)


def plain_function(member: object) -> tuple[Callable[..., Any] | None, bool]:
    """The function behind a class member, and whether it takes the page as its first argument."""
    if isinstance(member, classmethod):
        return member.__func__, True
    if isinstance(member, staticmethod):
        return member.__func__, False
    if isinstance(member, FunctionType):
        return member, True
    return None, False


def _first_parameter(function: FunctionType) -> str | None:
    code = getattr(inspect.unwrap(function), "__code__", function.__code__)
    return code.co_varnames[0] if code.co_argcount else None
