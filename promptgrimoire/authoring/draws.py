"""Draws that a study is built on: balanced conditions, the round that is paid.

Owns how often each condition has been drawn, in the session's hidden record. Which random numbers there are is
`Record.rng`'s; what Between draws, the flow's, which calls `draw_balanced`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from promptgrimoire.errors import AuthorError
from promptgrimoire.ids import hidden
from promptgrimoire.state.records import Player
from promptgrimoire.state.values import encode


def balanced(player: Any, options: Any, *, within: Any = None) -> Any:
    """One of the options, drawn at random among those that were drawn least often so far.

    After every draw, no option of this statement is ahead of another by more than one, within each value of the
    player's field (or fields) that `within` names. An option that is listed twice is drawn twice as often. Each
    statement counts for itself; where a player comes to it again, so do first, second, … draws.
    """
    if not isinstance(player, Player):
        raise AuthorError(f"balanced(player, options): expected a player first, found {type(player).__name__}")
    if isinstance(options, str) or not isinstance(options, list | tuple) or not options:
        raise AuthorError(
            f'balanced(player, options): expected a list of options, as in ["control", "gain"], found {options!r}'
        )
    fields = [within] if isinstance(within, str) else list(within or ())
    state = player._state
    statement = f"{state.lines.here()} {encode(list(options)).decode()}"
    private = state.record(hidden(player._key))
    if "drawn" not in private._fields:
        state.writing().assign(private, "drawn", {})
    before = private._fields["drawn"].get(statement, 0)
    private._fields["drawn"][statement] = before + 1
    return options[draw_balanced(player, f"{statement} {before + 1}", len(options), fields)]


def draw_balanced(player: Player, key: str, count: int, within: Sequence[str] = ()) -> int:
    """One of `count` numbers from 0, at random among those that were drawn least often so far under this key.

    `within` names fields of the player; draws with other values of these count apart. Part of the open transaction:
    undone with it. Raises AuthorError where the player has no such field.
    """
    for field in within:
        if not isinstance(field, str) or not hasattr(player, field):
            raise AuthorError(f"drawing within {field!r}: {player!r} has no such field; set it before")
    state = player._state
    record = state.hidden
    if "arms" not in record._fields:
        state.writing().assign(record, "arms", {})
    if within:
        key = f"{key} {encode([getattr(player, field) for field in within]).decode()}"
    counts = list(record._fields["arms"].get(key, ()))
    counts += [0] * (count - len(counts))  # the code may have got a further arm since
    fewest = min(counts[:count])
    chosen: int = player.rng.choice([number for number in range(count) if counts[number] == fewest])
    counts[chosen] += 1
    record._fields["arms"][key] = counts
    return chosen


def random_round(player: Any, n: int | None = None) -> int:
    """The round that is paid: one of those that the player has just been through, each equally likely.

    Drawn once for a player and their loop, and stored: asked again, it is the same. `n`: one of 1 to n instead, also
    before these are played. Raises AuthorError where the player has been in no round, or further ones follow.
    """
    if not isinstance(player, Player):
        raise AuthorError(f"random_round(player): expected a player, found {type(player).__name__}")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise AuthorError(f"random_round(player, n): expected a whole number of at least 1, found {n!r}")
    state = player._state
    loop, rounds, more = state.rounds(player)
    if n is not None:
        loop, rounds, more = f"{player.app}:n{n}", list(range(1, n + 1)), False
    if not rounds:
        raise AuthorError(f"random_round: {player!r} has been in no round yet; call it after the last one")
    private = state.record(hidden(player._key))
    if "paid" not in private._fields:
        state.writing().assign(private, "paid", {})
    paid = private._fields["paid"]
    if loop not in paid:
        if more:
            raise AuthorError(
                f"random_round: {player!r} is in round {rounds[-1]}, and further ones follow; call it in or after the "
                "last one, or write random_round(player, n) to draw in advance"
            )
        paid[loop] = player.rng.choice(rounds)
    found: int = paid[loop]
    return found
