"""Each player's plan as it is stored: reading it, expanding what is reached, finding a page in it.

Owns the hidden fields `plan`, `app`, `round`, `levels` and `loop` (see `state.answers`), and what is decided when a
directive is reached (`Decisions`). What the steps of a plan mean is `runtime.plan`'s; who moves when is the flow's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.draws import draw_balanced
from promptgrimoire.authoring.messages import THE_END
from promptgrimoire.authoring.pages import key_of
from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime import plan as plans
from promptgrimoire.runtime.once import shift
from promptgrimoire.runtime.plan import Place, Step, page_of_step

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player, Record


class Route:
    """The plans of one session's players."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def names(self, player: Player) -> list[str]:
        """Keys of the pages that are decided, in order."""
        return plans.known(player._about.get("plan", ()))

    def place(self, player: Player, position: int) -> Place | None:
        """The page at a position; None at the end, and for what is not decided yet."""
        steps = player._about.get("plan", ())
        step = steps[position] if 0 <= position < len(steps) else None
        return page_of_step(step) if isinstance(step, str) else None

    def here(self, player: Player) -> Place | None:
        """The page where the player is; None before the first one and at the end."""
        return self.place(player, player.show_page)

    def begin(self, player: Player, private: Record) -> None:
        """The plan as it is when a player comes: every app stands for its pages, which are decided on entering it."""
        if "plan" not in private._fields:
            apps: list[Step] = [{"app": app.name} for app in self._host.study.apps]
            self._host.state.writing().assign(private, "plan", apps)

    def reach(self, player: Player, private: Record, position: int) -> Place | None:
        """The page that stands at this position, whatever has to be decided for that; None at the end."""
        plan = private._fields["plan"]
        while position < len(plan):
            step = plan[position]
            if isinstance(step, str):
                return page_of_step(step)
            self._expand(player, private, position)
        return None

    def _expand(self, player: Player, private: Record, position: int) -> None:
        plan = private._fields["plan"]
        steps = plans.expand(plan[position], Decisions(self._host, player, private))
        plan[position : position + 1] = steps
        if "ran" in private._fields:
            shift(private._fields["ran"], position, len(steps) - 1)

    def position(self, player: Player, target: Any) -> int:
        """Where `move_to_page(player, target)` leads: a page class, its name, a 0-based position, the end.

        Among several matches the next one ahead. An app that is ahead and holds the page is decided for that. Raises
        AuthorError.
        """
        private = self._host.flow.private(player.id)
        self.begin(player, private)
        plan = private._fields["plan"]
        if target is THE_END:
            return len(plan)
        if isinstance(target, int) and not isinstance(target, bool):
            if not 0 <= target <= len(plan):
                raise AuthorError(f"move_to_page: expected a position from 0 to {len(plan)} (the end), found {target}")
            return target
        spec = getattr(target, "__grimoire__", None)
        key = key_of(target, player.app) if spec is not None else target
        if not isinstance(key, str):
            raise AuthorError(f"move_to_page: expected a page, its name, or a 0-based position, found {target!r}")
        here = player.show_page
        found = plans.find(plan, key, here)
        if found is not None and found > here:
            return found
        app = self._ahead(plan, key, here)
        if app is not None:
            self._expand(player, private, app)
            decided = plans.find(plan, key, here)
            found = decided if decided is not None else found
        if found is None:
            raise AuthorError(
                f"move_to_page: '{key}' is not in this player's plan: {', '.join(self.names(player)) or 'no page yet'}"
                + (
                    "; parts of it are not decided yet"
                    if any(not isinstance(step, str) for step in plan[max(here, 0) :])
                    else ""
                )
            )
        return found

    def _ahead(self, plan: list[Step], key: str, here: int) -> int | None:
        """The position of an app that has not been entered and shows that page."""
        for position in range(max(here, 0), len(plan)):
            step = plan[position]
            if isinstance(step, Mapping) and "app" in step:
                pages = self._host.study.app(step["app"]).pages
                if any(key in (spec.key, spec.name) for spec in pages.values()):
                    return position
        return None

    def settle(self, player: Player, private: Record, before: Place | None, place: Place | None) -> None:
        """The player arrives at a place: their app, round and levels; a new round begins without its answers."""
        transaction = self._host.state.writing()
        fields = private._fields
        app = place.app if place is not None else fields.get("app", "")
        round, levels = (place.round, list(place.nested)) if place is not None else (0, [])
        answered = fields.get("answered") or {}
        forgotten = plans.begun(before, place, fields["plan"]) if answered and place is not None else set()
        for name, value in (("app", app), ("round", round), ("levels", levels)):
            if fields.get(name, [] if name == "levels" else 0 if name == "round" else "") != value:
                transaction.assign(private, name, value)
        for field in [field for field, page in answered.items() if page in forgotten]:
            del answered[field]
            if field in player._fields:
                transaction.remove(player, field)
        if place is not None and place.nested:
            self._in_loop(private, place)

    def _in_loop(self, private: Record, place: Place) -> None:
        """The player is in this round of a loop."""
        of, levels = f"{place.app}:{place.loops[0]}", list(place.nested)
        loop = private._fields.get("loop")
        if loop is None or loop["of"] != of:
            loop = {"of": of, "fields": {}, "rounds": {}}
            self._host.state.writing().assign(private, "loop", loop)
            loop = private._fields["loop"]
        if levels != [place.round] and len(levels) > len(loop["rounds"].get(str(place.round), ())):
            loop["rounds"][str(place.round)] = levels

    def answered(self, player: Player, names: Iterable[str]) -> None:
        """The player has answered these on the page where they are: others who are behind go on to see it."""
        place, loop = self.here(player), player._about.get("loop")
        clears = [level for level, carries in enumerate(place.carries, 1) if not carries] if place is not None else []
        if not clears or loop is None:
            return
        for name in names:
            if name not in loop["fields"]:
                loop["fields"][name] = [len(player._pages.get(name, ())), clears[-1]]


class Decisions:
    """What is decided for a player when a directive of their plan is reached (`runtime.plan.Draws`). Stored."""

    def __init__(self, host: Host, player: Player, private: Record) -> None:
        self._host = host
        self._player = player
        self._private = private

    def shuffle(self, items: list[Any]) -> None:
        self._player.rng.shuffle(items)

    def order(self, app: str) -> list[Step]:
        host = self._host
        found = next((one for one in host.study.apps if one.name == app), None)
        if found is None:
            raise AuthorError(f"the app {app} is not part of this study any more; move the player to another page")
        if self._private._fields.get("app") != app:
            host.state.writing().assign(self._private, "app", app)
        return found.steps_for(self._player)

    def arm(self, between: Mapping[str, Any]) -> int:
        player = self._player
        arms = between["between"]
        if between.get("balanced", True):
            chosen = draw_balanced(player, between["key"], len(arms), between.get("within") or ())
        else:
            chosen = player.rng.randrange(len(arms))
        store = between.get("store")
        if store:
            setattr(player, store, between["arms"][chosen])
        showed = [*player._fields.get("between_showed", ()), plans.keys_in(arms[chosen])]
        self._host.state.writing().assign(player, "between_showed", showed)
        return chosen

    def go_on(self, repeat: Mapping[str, Any], iteration: int) -> bool:
        player = self._player
        chance = repeat.get("continue_with")
        if chance is None:
            if player._fields.get("add_round", True):
                return True
            self._host.state.writing().remove(player, "add_round")
            return False
        by = repeat.get("by") or "group"
        scope = player.id if by == "player" else ""
        if by == "group":
            scope = f"g{player.group.id}" if player.group is not None else player.id
        key = f"{repeat['key']} {iteration} {scope}"
        hidden = self._host.state.hidden
        if "continued" not in hidden._fields:
            self._host.state.writing().assign(hidden, "continued", {})
        continued = hidden._fields["continued"]
        if key not in continued:
            continued[key] = self._host.state.session.rng.random() < chance
        found: bool = continued[key]
        return found
