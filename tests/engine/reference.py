"""What has to become of players on their way through a study, in plain words: a reference model without any machinery.

Owns `World`: where everybody is, what is stored, which hooks have run. Knows nothing of transactions, journals or
tasks, only of what the documentation promises about them: a step that fails is as if it had not been; a hook that
waited when the server died counts as run; what was not stored is gone. Whatever is drawn at random, it is told.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.engine.designs import (
    NOT_YET,
    REFUSED,
    SAVED,
    SIZE,
    Design,
    ImpossibleError,
    Need,
    Place,
    Sheet,
    field_of,
    loops_in,
    pages_in,
    way,
)

MOST = 99  # what a field takes
GRACE, RECONNECT = 2.5, 10.0  # seconds that browsers have to post when their time is over, and after an outage


@dataclass
class Work:
    """What is being done for a player: hooks one after the other."""

    kind: str  # "entering", "leaving"
    hooks: list[str]
    waits: bool = False  # the first hook waits at its gate
    key: tuple[str, str] = ("", "")  # of the submission that began it
    posts: tuple[int, ...] = ()  # whoever hears of its outcome
    accepted: bool = False
    unasked: bool = False
    timed_out: bool = False
    interrupted: tuple[int, str] | None = None  # this hook had waited when the server died: it counts as run


@dataclass
class Post:
    number: int
    stay: int
    id: str
    value: str  # what is entered; "back" for Back

    @property
    def key(self) -> tuple[str, str]:
        return self.id, self.value


@dataclass
class Person:
    id: int
    decisions: list[Any] = field(default_factory=list)
    arms: int = 0  # how often an arm was drawn
    at: int = -1  # which of the places
    place: Place | None = None
    ended: bool = False
    moving: int | None = 0
    stay: int = 0
    ran: set[tuple[int, str]] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    in_rounds: set[str] = field(default_factory=set)  # which of the answers are those of a round
    trail: list[int] = field(default_factory=list)
    add_round: bool = True
    held: bool = False
    online: bool = False
    joined: bool = False
    group: int | None = None
    arrived: tuple[int, int] | None = None  # the stay, and the how-manieth arrival that was
    formed: int | None = None  # the group that is being formed
    asked: tuple[int, bool] | None = None  # what show has said, once for each arrival
    limit: float | None = None  # when the time of the page is over
    due: float | None = None  # when the server acts
    written: dict[str, int] = field(default_factory=dict)  # the round of each answer
    overtaken: list[str] = field(default_factory=list)  # hooks that wait, of submissions that time has overtaken
    leaving: tuple[str, bool] | None = None  # an accepted submission whose hook waits
    refused: tuple[int, tuple[str, str]] | None = None
    work: Work | None = None
    queue: list[Post] = field(default_factory=list)


class _FailureError(Exception):
    pass


@dataclass
class Company:
    """A group, or (as number 0) the session: those who wait for each other."""

    id: int
    log: list[str] = field(default_factory=list)
    marks: dict[Any, str] = field(default_factory=dict)  # by spot: "going", "over"


@dataclass
class Hook:
    """A hook of a wait page that waits."""

    company: int
    spot: Any
    name: str


Decide = Callable[[int, int, int, Need], Any]


class World:
    """Everybody, and what happens to them."""

    def __init__(self, design: Design, players: int, decide: Decide, now: float) -> None:
        self.design = design
        self.decide = decide
        self.people = {id: Person(id) for id in range(1, players + 1)}
        self.broken: set[str] = set()
        self.companies = {0: Company(0)}
        self.hooks: list[Hook] = []
        self.arrivals = 0
        self._soon: list[tuple[str, int]] = []
        self.outcomes: dict[int, str] = {}
        self.history: list[bytes] = []  # one after each step that is stored at once
        self._begun = b""
        self.now = self.heard = now  # the time, and when something was stored last

    # ---------------------------------------------------------------- steps

    def state(self) -> bytes:
        return pickle.dumps((self.people, self.broken, self.companies, self.hooks, self.arrivals, self.heard))

    def restore(self, state: bytes) -> None:
        self.people, self.broken, self.companies, self.hooks, self.arrivals, self.heard = pickle.loads(state)

    def _begin(self) -> None:
        self._begun = self.state()

    def commit(self) -> None:
        self.heard = self.now
        self.history.append(self.state())

    def begin(self) -> None:
        for id in self.people:
            self._enter(id)
        self._drain()

    def _drain(self) -> None:
        """What follows, in the order in which it was begun."""
        while self._soon:
            what, id = self._soon.pop(0)
            match what:
                case "enter":
                    self._enter(id)
                case "arrive":
                    self._come(id)
                case "look":
                    self._look()
            if not self._soon:
                self._expire()

    # ---------------------------------------------------------------- entering

    def _enter(self, id: int, interrupted: tuple[int, str] | None = None) -> None:
        person = self.people[id]
        if person.moving is None or person.held or person.work is not None:
            return
        self._begin()
        person.work = Work("entering", [], interrupted=interrupted)
        self._run(id, arriving=True)

    def _arrive(self, person: Person) -> None:
        """The player comes to where they are to move."""
        assert person.moving is not None
        assert person.work is not None
        places = self._places(person, person.moving)
        person.stay += 1
        person.limit = person.due = None
        person.ran.discard((person.moving, "timeout_reached"))
        if person.moving >= len(places):
            person.place, person.ended, person.at, person.moving = None, True, len(places), None
            person.work = person.asked = None
            return
        place = places[person.moving]
        self._forget(person, place)
        if person.place is None or person.place.levels != place.levels:
            person.trail = []
        person.place, person.at = place, person.moving
        if person.asked is not None and person.asked[0] != person.at:
            person.asked = None
        logic = self.design.sheet(place.name).kind == "logic"
        person.work.hooks = ["before_always_once", "after_always_once", "on"]
        if not logic:
            person.work.hooks = ["before_always_once", "show", "before_once", "here"]

    def _places(self, person: Person, position: int) -> list[Place]:
        while True:
            places, need = way(self.design, person.decisions)
            if need is None or position < len(places):
                return places
            if need.kind in ("again", "end"):
                person.decisions.append(person.add_round)
                person.add_round = True  # once told, it is forgotten
            else:
                person.decisions.append(self.decide(person.id, len(places), person.arms, need))
                person.arms += need.kind == "arm"

    def _forget(self, person: Person, place: Place) -> None:
        """In another round of a loop, the answers that were given to its pages in a round are gone."""
        before = person.place.levels if person.place is not None else ()
        same = 0
        while same < min(len(before), len(place.levels)) and before[same] == place.levels[same]:
            same += 1
        loops = {loop.number: loop for loop in loops_in(self.design.order)}
        for number, _ in place.levels[same:]:
            if not loops[number].carry:
                for name in person.in_rounds & {f"f_{name}" for name in pages_in(loops[number])}:
                    person.answers.pop(name, None)
                    person.written.pop(name, None)
                    person.in_rounds.discard(name)
                return

    # ---------------------------------------------------------------- hooks

    def _run(self, id: int, *, arriving: bool = False, resumed: bool = False) -> None:
        """Go on with what is done for a player, up to a hook that waits, or the end."""
        try:
            person = self.people[id]
            if arriving:
                self._arrive(person)
            while person.work is not None and person.work.hooks:
                hook = person.work.hooks[0]
                if not resumed and self._waits(person, hook):
                    person.work.waits = True
                    if person.work.accepted:
                        person.leaving = hook, person.work.timed_out
                    self.commit()
                    return
                work = person.work
                value = self._value(person, hook, resumed)
                if resumed and _is_once(hook):  # what it has written stays, whatever fails next
                    self.commit()
                    self._begin()
                resumed = False
                work.waits = False
                work.hooks.pop(0)
                self._after(person, hook, value)
        except _FailureError:
            self._failed(id)
        except ImpossibleError:
            if not self.broken:
                raise
            self._failed(id)  # what was drawn on the way to a hook that failed is undone too: nobody has seen it
        self.commit()
        person = self.people[id]
        if person.work is None:
            self._over(id)

    def _waits(self, person: Person, hook: str) -> bool:
        """Whether the hook begins and waits."""
        assert person.place is not None
        assert person.work is not None
        sheet = self.design.sheet(person.place.name)
        if hook == "show" and person.asked is not None:
            return False
        if hook not in sheet.slow or (person.at, hook) in person.ran or (person.at, hook) == person.work.interrupted:
            return False
        self._starts(person, hook)
        return True

    def _starts(self, person: Person, hook: str) -> None:
        assert person.place is not None
        if _is_once(hook):
            person.ran.add((person.at, hook))
        person.log.append(f"{person.place.name}@{person.place.round} {hook}")

    def _value(self, person: Person, hook: str, resumed: bool) -> Any:
        """What a hook gives, once it has run."""
        assert person.place is not None
        assert person.work is not None
        sheet = self.design.sheet(person.place.name)
        if hook not in sheet.hooks or (not resumed and (person.at, hook) in person.ran):
            return None
        if (person.at, hook) == person.work.interrupted:
            if hook == "show":  # what it would have said is not known: the page is shown
                person.asked = person.at, True
            return None
        if hook == "show" and person.asked is not None:
            return person.asked[1]
        if resumed:
            person.log.append(f"{person.place.name}@{person.place.round} {hook} done")
        else:
            self._starts(person, hook)
        if f"{sheet.name} {hook}" in self.broken:
            raise _FailureError
        if hook == "show":
            person.asked = person.at, sheet.skips == "odd" and person.id % 2 == 0
            return person.asked[1]
        if hook == "after_always_once" and sheet.ends and person.place.round >= sheet.ends:
            person.add_round = False
        return True

    def _after(self, person: Person, hook: str, value: Any) -> None:
        """What follows when a hook has run (or there is none)."""
        work, place = person.work, person.place
        assert work is not None
        assert place is not None
        sheet = self.design.sheet(place.name)
        match hook:
            case "show" if value is False:
                work.hooks = ["after_always_once", "on"]
            case "on":
                assert person.moving is not None
                person.moving += 1
                self._arrive(person)
            case "here":
                person.moving = person.work = person.asked = None
                if sheet.timeout:
                    person.limit, person.due = self.now + sheet.timeout, self.now + sheet.timeout + GRACE
                if sheet.waits:  # Back does not lead behind it
                    person.trail = []
                elif self.design.goes_back:
                    person.trail = [one for one in person.trail if one < person.at] + [person.at]
            case "check" if sheet.field and not (work.key[1].isdecimal() and int(work.key[1]) <= MOST):
                self._refuse(person)
            case "validate" if sheet.field and "validate" in sheet.hooks and int(work.key[1]) == REFUSED:
                self._refuse(person)
            case "before_form_save" if sheet.field:
                self._store(person, int(work.key[1]) + SAVED * (hook in sheet.hooks))
            case "may_proceed":
                stored = person.answers.get(field_of(sheet))
                if "may_proceed" in sheet.hooks and stored in (NOT_YET, NOT_YET + SAVED):
                    self._refuse(person)
                else:
                    work.accepted, person.due = True, None
            case "late" if sheet.field:
                said = work.key[1]
                value = int(said) if said.isdecimal() and int(said) <= MOST else None
                if value is not None or person.written.get(field_of(sheet)) != place.round:
                    self._store(person, value)
            case "out":
                person.moving = person.at + 1
                person.leaving = person.work = None
                self._answered(work, "moved")

    def _store(self, person: Person, value: int | None) -> None:
        assert person.place is not None
        name = field_of(self._sheet(person))
        person.answers[name], person.written[name] = value, person.place.round
        (person.in_rounds.add if person.place.round else person.in_rounds.discard)(name)

    def _refuse(self, person: Person) -> None:
        assert person.work is not None
        person.refused = person.stay, person.work.key
        self._answered(person.work, "refused")
        person.work = None

    def _answered(self, work: Work, outcome: str) -> None:
        for number in work.posts:
            self.outcomes[number] = outcome

    def _failed(self, id: int) -> None:
        """The step is as if it had not been; the hook may run again."""
        work, position = self.people[id].work, self.people[id].at
        assert work is not None
        hook = work.hooks[0] if work.hooks else ""
        self.restore(self._begun)
        person = self.people[id]
        person.work = None
        if work.kind == "entering":
            person.held = True
        elif work.unasked:
            person.held, person.leaving, person.due = True, ("", work.timed_out), None
        else:
            person.leaving = None
            if person.limit is not None and person.due is None:
                person.due = person.limit + GRACE
            self._answered(work, "failed")
        person.ran.discard((position, hook))

    def _over(self, id: int) -> None:
        """What was done for a player is done: on to the next page, or the next post."""
        person = self.people[id]
        if person.moving is not None:
            for post in person.queue:
                self.outcomes[post.number] = "moved"
            person.queue = []
            self._soon.append(("enter", id))
        else:
            self._soon.append(("arrive", id))
        while self.people[id].work is None and self.people[id].queue:
            self._take(self.people[id].queue.pop(0), id)

    # ---------------------------------------------------------------- what participants do

    def post(self, id: int, post: Post) -> None:
        """Somebody submits a page, or presses Back."""
        person = self.people[id]
        work = person.work
        if work is not None and work.kind == "leaving" and post.stay == person.stay:
            if work.key == post.key:
                work.posts += (post.number,)
            else:
                person.queue.append(post)
        else:
            self._take(post, id)
        self._drain()

    def _take(self, post: Post, id: int) -> None:
        person = self.people[id]
        if post.stay != person.stay or person.moving is not None or person.place is None or person.held:
            self.outcomes[post.number] = "moved"
            return
        sheet = self.design.sheet(person.place.name)
        if sheet.waits:
            self.outcomes[post.number] = "moved"
        elif person.refused == (person.stay, post.key):
            self.outcomes[post.number] = "refused"
        elif post.value == "back":
            self.outcomes[post.number] = "moved"
            if sheet.back and len(person.trail) > 1:
                person.moving = person.trail[-2]
                self.commit()
                self._soon.append(("enter", id))
        else:
            self._begin()
            hooks = ["check", "validate", "before_form_save", "may_proceed", "after_once", "after_always_once", "out"]
            person.work = Work("leaving", hooks, key=post.key, posts=(post.number,))
            self._run(id)

    def waiting(self, id: int) -> str:
        """The hook of a player's that waits, the longest where there are two; "" for none."""
        person = self.people[id]
        if person.overtaken:
            return person.overtaken[0].split()[1]
        return person.work.hooks[0] if person.work is not None and person.work.waits else ""

    def open(self, id: int) -> None:
        """The hook for which somebody waits goes on."""
        person = self.people[id]
        if person.overtaken:  # what it still writes is kept, and leads nowhere
            hook = person.overtaken.pop(0)
            page, name = hook.split()
            if f"{page.partition('@')[0]} {name}" not in self.broken:
                person.log.append(f"{hook} done")
            self.commit()
            return
        work = self.people[id].work
        if work is not None and work.waits:
            self._begin()
            self._run(id, resumed=True)
        self._drain()

    def retry(self, id: int) -> None:
        person = self.people[id]
        if not person.held:
            return
        person.held = False
        self.commit()
        self._go_on(id)
        self._drain()

    def _go_on(self, id: int) -> None:
        """After a failure or a crash."""
        person = self.people[id]
        if person.held:
            return
        if person.leaving is not None:
            hook, timed_out = person.leaving
            self._depart(id, (person.at, hook), timed_out)
        elif person.moving is not None:
            self._enter(id)
        elif person.place is not None:
            self._come(id)

    def _depart(
        self, id: int, interrupted: tuple[int, str] | None = None, timed_out: bool = False, late: str | None = None
    ) -> None:
        """Leave a page without a submission. `late`: its time is over, and this is what is in its field."""
        self._begin()
        person = self.people[id]
        work = Work("leaving", ["after_once", "after_always_once", "out"], accepted=True, unasked=True)
        if timed_out:
            work.hooks[:0] = ["timeout_reached"] if late is None else ["late", "timeout_reached"]
        work.interrupted, work.timed_out, work.key = interrupted, timed_out, ("", late or "")
        person.work, person.due = work, None
        self._run(id)

    # ---------------------------------------------------------------- time

    def time_is(self, now: float) -> None:
        """It is so late now."""
        while (due := min((one.due for one in self.people.values() if one.due is not None), default=now + 1)) <= now:
            self.now = max(self.now, due)
            self._expire()
            self._drain()
        self.now = now

    def _expire(self) -> None:
        late = sorted((one.due, one.id) for one in self.people.values() if one.due is not None and one.due <= self.now)
        for _, id in late:
            person = self.people[id]
            if person.moving is not None or person.held:
                person.due = self.now + 10
                continue
            said = ""
            if person.work is not None:
                said = person.work.key[1]
                place = person.place
                assert place is not None
                person.overtaken.append(f"{place.name}@{place.round} {person.work.hooks[0]}")
            self._depart(id, timed_out=True, late=said)

    # ---------------------------------------------------------------- wait pages

    def presence(self, id: int, online: bool) -> None:
        person = self.people[id]
        if person.online != online:
            person.online = online
            person.joined = person.joined or online
            self.commit()
            self._soon.append(("arrive", id))
            self._drain()

    def _come(self, id: int) -> None:
        """Somebody who is at a wait page has arrived."""
        person = self.people[id]
        if self._sheet(person).waits and person.moving is None and not person.held and person.work is None:
            somebody = person.joined or person.at > 0  # has taken this place
            new = person.arrived is None or person.arrived[0] != person.stay
            if somebody and new and person.leaving is None:
                self.arrivals += 1
                person.arrived, person.formed = (person.stay, self.arrivals), None
                self.commit()
        self._soon.append(("look", 0))

    def _sheet(self, person: Person) -> Sheet:
        return Sheet("") if person.place is None else self.design.sheet(person.place.name)

    def _spot(self, person: Person) -> Any:
        """Where somebody waits: which page, in which round, for the how-manieth time; None where they do not."""
        here = person.arrived is not None and person.arrived[0] == person.stay
        if not here or person.moving is not None or person.leaving is not None or person.work is not None:
            return None
        return self._spots(person)[person.at]

    def _spots(self, person: Person) -> list[Any]:
        met: dict[Any, int] = {}
        spots = []
        for place in way(self.design, person.decisions)[0]:
            page = place.name, tuple(number for _, number in place.levels)
            met[page] = met.get(page, 0) + 1
            spots.append((*page, met[page]))
        return spots

    def _at(self, spot: Any) -> list[Person]:
        """Those who wait there, in the order of their arrival."""
        here = [one for one in self.people.values() if self._spot(one) == spot and not one.held]
        return sorted(here, key=_order)

    def _look(self) -> None:
        """Form and release whom nothing holds up any more."""
        waiting = sorted((one for one in self.people.values() if self._spot(one) is not None), key=_order)
        for spot in dict.fromkeys(self._spot(one) for one in waiting):
            sheet = self.design.sheet(spot[0])
            if sheet.kind == "meet":
                self._match(spot)
            else:
                self._synchronize(spot, sheet)

    def _match(self, spot: Any) -> None:
        for id in dict.fromkeys(one.formed for one in self._at(spot)):
            if id is not None and not self._goes_on(id, spot):
                self._release(id, spot, self._members(id, spot))
        free = [one for one in self._at(spot) if one.formed is None and one.online]
        for first in range(0, len(free) - SIZE + 1, SIZE):
            id = len(self.companies)
            self.companies[id] = Company(id)
            for one in free[first : first + SIZE]:
                one.group = one.formed = id
            self._ask(id, spot, "after_grouping", [one.id for one in free[first : first + SIZE]])

    def _members(self, id: int, spot: Any) -> list[int]:
        """Those of a company who wait there."""
        if self.design.sheet(spot[0]).kind == "meet":
            return [one.id for one in self._at(spot) if one.formed == id]
        return [one.id for one in self._at(spot) if id in (0, one.group)]

    def _goes_on(self, id: int, spot: Any) -> bool:
        return any(hook.company == id and hook.spot == spot for hook in self.hooks)

    def _synchronize(self, spot: Any, sheet: Sheet) -> None:
        companies = [0] if sheet.wide else [one.group for one in self._at(spot)]
        for id in dict.fromkeys(companies):
            if id is None or self._goes_on(id, spot):
                continue
            if self.companies[id].marks.get(spot):
                self._release(id, spot, self._members(id, spot))
            elif all(self._has_come(one, spot) for one in self.people.values() if id in (0, one.group)):
                self._ask(id, spot, "all_here", self._members(id, spot))

    def _has_come(self, person: Person, spot: Any) -> bool:
        if person.ended or self._spot(person) == spot:
            return True
        if self.design.sheet(spot[0]).wide and not (person.joined or person.at > 0):
            return True
        spots = self._spots(person)
        return spot in spots and person.at > spots.index(spot)

    def _ask(self, id: int, spot: Any, name: str, members: list[int]) -> None:
        """Run the hook of a company; then they go on."""
        sheet = self.design.sheet(spot[0])
        company = self.companies[id]
        if name in sheet.hooks:
            company.log.append(f"{sheet.name} {name}")
        if name in sheet.slow:
            company.marks[spot] = "going"
            self.hooks.append(Hook(id, spot, name))
            self.commit()
        else:
            self._release(id, spot, members)

    def go_on(self, which: int) -> None:
        """The hook of a wait page goes on."""
        hook = self.hooks.pop(which)
        self.companies[hook.company].log.append(f"{hook.spot[0]} {hook.name} done")
        self._release(hook.company, hook.spot, self._members(hook.company, hook.spot))
        self._drain()

    def _release(self, id: int, spot: Any, members: list[int]) -> None:
        self.companies[id].marks[spot] = "over"
        self.commit()
        for one in members:
            self._depart(one)
        self._soon.append(("look", 0))

    # ---------------------------------------------------------------- the server

    def give_up_posts(self) -> None:
        """Whoever had posted waits no longer: what had not begun is gone."""
        for person in self.people.values():
            person.queue = []

    def crash(self) -> None:
        """The server has died and is back: what waited counts as run, what had not been accepted is gone."""
        self.give_up_posts()
        self.hooks = []
        away = self.now > self.heard
        for person in self.people.values():
            person.overtaken = []
            if person.due is not None and away:
                person.due = max(person.due, self.now + RECONNECT)
        interrupted = {}
        for id, person in self.people.items():
            work, person.work = person.work, None
            if work is not None and work.kind == "entering" and work.waits:
                interrupted[id] = person.at, work.hooks[0]
        for id in list(self.people):
            if id in interrupted:
                self._enter(id, interrupted[id])
            else:
                self._go_on(id)
        self._drain()

    # ---------------------------------------------------------------- what is to be seen

    def seen(self) -> dict[int, dict[str, Any]]:
        """Of each player what anybody can see."""
        found = {}
        for id, person in self.people.items():
            place = person.place
            found[id] = {
                "page": "" if place is None else place.name,
                "position": person.at,
                "round": 0 if place is None else place.round,
                "nested": [] if place is None else [number for _, number in place.levels],
                "log": person.log,
                "answers": person.answers,
                "held": person.held,
                "arrived": person.moving is None,
                "ended": person.ended,
                "online": person.online,
                "group": person.group,
                "together": [] if person.group is None else self.companies[person.group].log,
            }
        return found

    def check_who_is_left(self) -> None:
        """Whoever has not come to the end waits for partners that there are not, or for somebody who does."""
        left = [person for person in self.people.values() if not person.ended]
        assert all(self._spot(person) is not None for person in left)
        meeting = [self._spot(person) for person in left if self._sheet(person).kind == "meet"]
        assert all(meeting.count(spot) < SIZE for spot in meeting)
        assert not left or meeting or any(person.group is None for person in left)


def _is_once(hook: str) -> bool:
    return hook.endswith("_once") or hook == "timeout_reached"


def _order(person: Person) -> int:
    assert person.arrived is not None
    return person.arrived[1]
