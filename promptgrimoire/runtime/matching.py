"""Who plays with whom: groups of those who wait, and schedules of groups for several rounds. Pure.

Owns the decisions only. Who is present, has arrived or has run out of patience is known to the wait pages, which also
store what is decided here. Players are their ids; every random draw comes from the generator that is handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime.designs import contagion_free, is_known_free, shifted_count, shifted_rounds

if TYPE_CHECKING:
    from random import Random

Round = list[list[int]]  # the groups of one round, each a list of players

_TRIES = 12  # schedules begun anew in a search
_NODES = 15_000  # groups tried in a search, all in all: some 50 ms


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who is present and waits to be grouped."""

    player: int
    key: Hashable = None  # what group_by gave: only equal ones are grouped
    role: str | None = None  # the role that they have already
    impatient: bool = False  # has waited long enough for a smaller group


@dataclass(frozen=True, slots=True)
class Formed:
    """A group: its members in the order of their arrival, and, where there are roles, the role of each."""

    members: list[int]
    roles: list[str]


class NoSchedule(AuthorError):
    """There is no such schedule for these players, or none was found; the message says how many would do."""


# -------------------------------------------------------------------- arrivals


def arrivals(
    waiting: Sequence[Arrival],
    size: int,
    rng: Random,
    *,
    min_size: int | None = None,
    roles: Sequence[str] = (),
) -> list[Formed]:
    """The groups that can be formed now of those who wait, in the order of their arrival.

    First come, first served within each key. With `roles` (one for each of `size` members, the same one perhaps several
    times), a group takes nobody whose own role is filled already, and whoever has none gets one of the rest at random:
    the order of arrival decides nothing. With `min_size`, those who are left form a smaller group once one of them is
    impatient. Raises AuthorError for numbers that do not fit.
    """
    _check_size(size, min_size, roles)
    queues: dict[Hashable, list[Arrival]] = {}
    for arrival in waiting:
        queues.setdefault(arrival.key, []).append(arrival)
    formed = []
    for queue in queues.values():
        while True:
            chosen = _first(queue, size, roles)
            enough = len(chosen) == size
            if not enough and min_size is not None and len(chosen) >= min_size:
                enough = any(arrival.impatient for arrival in chosen)
            if not enough:
                break
            queue[:] = [arrival for arrival in queue if arrival not in chosen]
            formed.append(Formed([arrival.player for arrival in chosen], assigned(chosen, roles, rng)))
    return formed


def _check_size(size: int, min_size: int | None, roles: Sequence[str]) -> None:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise AuthorError(f"group_size: expected a whole number of at least 1, found {size!r}")
    if min_size is not None and (not isinstance(min_size, int) or not 1 <= min_size <= size):
        raise AuthorError(f"min_size: expected a whole number from 1 to group_size ({size}), found {min_size!r}")
    if roles and len(roles) != size:
        raise AuthorError(
            f"roles: expected one for each of the {size} members, found {len(roles)}: {', '.join(roles)}; "
            "name a role several times where several members have it"
        )


def _first(queue: Sequence[Arrival], size: int, roles: Sequence[str]) -> list[Arrival]:
    """The first so many who can be in one group."""
    free = Counter(roles)
    chosen: list[Arrival] = []
    for arrival in queue:
        if len(chosen) == size:
            break
        if roles and arrival.role is not None:
            if not free[arrival.role]:
                continue
            free[arrival.role] -= 1
        chosen.append(arrival)
    return chosen


def assigned(members: Sequence[Arrival], roles: Sequence[str], rng: Random) -> list[str]:
    """A role for each: their own, or one of those that are left, at random; [] where there are no roles."""
    left = list((Counter(roles) - Counter(member.role for member in members if member.role is not None)).elements())
    if len(members) == len(roles):
        rng.shuffle(left)
    else:  # a smaller group has the first roles
        left = left[: sum(member.role is None for member in members)]
        rng.shuffle(left)
    return [left.pop() if member.role is None else member.role for member in members] if roles else []


# -------------------------------------------------------------------- schedules


def cohort(arrived: Sequence[int], size: int) -> tuple[list[int], list[int]]:
    """(who takes part in a schedule, the spares): as many of the first as a multiple of `size` allows."""
    part = len(arrived) - len(arrived) % size
    return list(arrived[:part]), list(arrived[part:])


def schedule(players: Sequence[int], size: int, n: int, policy: str, rng: Random) -> list[Round]:
    """The groups of `n` rounds, in each of which every player is in exactly one group of that size.

    "strangers": anew at random in each round, so that people may meet again.

    "perfect_strangers": nobody meets anybody twice. Pairs: the circle method for round-robin tournaments (T. P.
    Kirkman, "On a problem in combinations", Cambridge and Dublin Mathematical Journal 2, 1847), for up to N - 1 rounds.
    Larger groups: the parallel classes of transversal designs over finite fields and their products (R. C. Bose, "On
    the application of the properties of Galois fields to the problem of construction of hyper-Graeco-Latin squares",
    Sankhyā 3, 1938; H. F. MacNeish, "Euler squares", Annals of Mathematics 23, 1922); where these give too few rounds,
    a randomised search of bounded length.

    "total_strangers": moreover, nobody ever meets anybody whom they may have influenced, directly or through a chain
    of others, nor anybody who met somebody they met: what a player does in one round comes back to them in none. For
    pairs the rotation of two halves (U. Kamecke, "Rotations: matching schemes that efficiently preserve the best reply
    structure of a one shot game", International Journal of Game Theory 26, 1997, after R. Cooper, D. DeJong, R.
    Forsythe and T. Ross), for up to N / 2 rounds, which is the most there can be; for larger groups rotations by
    different steps, and the lines of a cube. The first member of each pair always comes from the same half, so that
    roles can stay.

    Who stands where is drawn at random. Raises NoSchedule where there is no such schedule, or none was found; the
    message says how many players would do. Takes a tenth of a second at the very most.
    """
    order = list(players)
    _check_schedule(order, size, n, policy)
    rng.shuffle(order)
    if size == 1:
        return [[[player] for player in order] for _ in range(n)]
    rounds = {"strangers": _strangers, "perfect_strangers": _perfect, "total_strangers": _total}[policy](
        len(order), size, n, rng
    )
    return [[[order[index] for index in group] for group in groups] for groups in rounds]


def _check_schedule(players: list[int], size: int, n: int, policy: str) -> None:
    _check_size(size, None, ())
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise AuthorError(f"a schedule needs at least one round, found {n!r}")
    if policy not in ("strangers", "perfect_strangers", "total_strangers"):
        raise AuthorError(f"match: there is no {policy!r}")
    if len(set(players)) != len(players):
        raise AuthorError("a schedule needs different players, found one of them twice")
    if len(players) < size:
        raise NoSchedule(f"groups of {size} need at least {size} players, found {len(players)}")
    if len(players) % size:
        raise NoSchedule(
            f"groups of {size} need a multiple of {size} players, found {len(players)}: "
            f"{len(players) % size} would be left over"
        )


def _strangers(players: int, size: int, n: int, rng: Random) -> list[Round]:
    rounds = []
    for _ in range(n):
        order = list(range(players))
        rng.shuffle(order)
        rounds.append([order[first : first + size] for first in range(0, players, size)])
    return rounds


def _perfect(players: int, size: int, n: int, rng: Random) -> list[Round]:
    fewest = max((n * (size - 1)) // size + 1, size if n > 1 else 1) * size  # n (size - 1) others; `size` groups
    if players < fewest:
        raise NoSchedule(
            f"perfect_strangers: {n} rounds in groups of {size} need at least {fewest} players, found {players}"
            + _would_do(players, size, n, _perfect_known)
        )
    rounds = _circle(players, n) if size == 2 else shifted_rounds(players, size, n)
    if len(rounds) < n:
        rounds = _search(players, size, n, rounds, rng)
    if len(rounds) < n:
        raise NoSchedule(
            f"perfect_strangers: found no {n} rounds in groups of {size} for {players} players"
            + _would_do(players, size, n, _perfect_known)
        )
    rng.shuffle(rounds)
    for group in (group for groups in rounds for group in groups):
        rng.shuffle(group)
    return rounds[:n]


def _perfect_known(players: int, size: int, n: int) -> bool:
    return n < players if size == 2 else n <= shifted_count(players, size)


def _total(players: int, size: int, n: int, rng: Random) -> list[Round]:
    # Those whom the members of the last group have met are all different, else there were somebody in between.
    fewest = size * (1 + (n - 1) * (size - 1))
    if players < fewest:
        raise NoSchedule(
            f"total_strangers: {n} rounds in groups of {size} need at least {fewest} players, found {players}"
            + _would_do(players, size, n, is_known_free)
        )
    rounds: list[Round] | None = contagion_free(players, size, n)
    if rounds is None:
        raise NoSchedule(
            f"total_strangers: found no {n} rounds in groups of {size} for {players} players"
            + _would_do(players, size, n, is_known_free)
        )
    return rounds


def _would_do(players: int, size: int, n: int, known: Callable[[int, int, int], bool]) -> str:
    """What to do about it: more players, fewer rounds, or another policy."""
    groups = players // size
    more = next((size * one for one in range(groups + 1, 10 * groups + 100) if known(size * one, size, n)), None)
    fewer = next((rounds for rounds in range(min(n - 1, players), 0, -1) if known(players, size, rounds)), None)
    mends = [f"with {more} players it works"] if more else []
    mends += [f"with {players} players {fewer} round{'s' if fewer > 1 else ''} would"] if fewer else []
    return f"; {', '.join(mends)}" if mends else '; choose match="strangers"'


def _circle(players: int, n: int) -> list[Round]:
    """Rounds of a tournament of an even number of players: one stays, the others move on along a circle."""
    last = players - 1
    return [
        [[last, turn], *([(turn + step) % last, (turn - step) % last] for step in range(1, players // 2))]
        for turn in range(min(n, last))
    ]


# -------------------------------------------------------------------- searching


def _search(players: int, size: int, n: int, known: list[Round], rng: Random) -> list[Round]:
    """Rounds in which nobody meets twice, found by trying: as many as n, or the most that were found.

    The first try continues what is known already, the others begin anew. Bounded in the number of groups tried.
    """
    best = known
    budget = [_NODES]
    for attempt in range(_TRIES):
        rounds = list(known) if attempt == 0 else []
        met = [1 << player for player in range(players)]
        for groups in rounds:
            _meet(groups, met)
        while len(rounds) < n:
            found = _one_round(players, size, met, budget, rng)
            if found is None:
                break
            _meet(found, met)
            rounds.append(found)
        if len(rounds) > len(best):
            best = rounds
        if len(best) >= n or budget[0] <= 0:
            break
    return best


def _meet(groups: Round, met: list[int]) -> None:
    for group in groups:
        together = sum(1 << player for player in group)
        for player in group:
            met[player] |= together


def _one_round(players: int, size: int, met: list[int], budget: list[int], rng: Random) -> Round | None:
    """Groups of players none of whom have met, one after the other, going back where it does not work out."""
    names = list(range(players))
    rng.shuffle(names)
    limit = budget[0] - _NODES // _TRIES
    groups: Round = []

    def grow(group: list[int], candidates: int, free: int) -> bool:
        budget[0] -= 1
        if budget[0] < limit:
            return False
        if len(group) == size:
            groups.append(group)
            if begin(free):
                return True
            groups.pop()
            return False
        for player in names:
            if candidates >> player & 1:
                candidates &= ~(1 << player)
                if grow([*group, player], candidates & ~met[player], free & ~(1 << player)):
                    return True
        return False

    def begin(free: int) -> bool:
        if not free:
            return True
        first = min(  # whoever has the fewest left to meet comes first
            (player for player in names if free >> player & 1), key=lambda player: (free & ~met[player]).bit_count()
        )
        return grow([first], free & ~met[first], free & ~(1 << first))

    return groups if begin((1 << players) - 1) else None
