"""What must hold after every fault, however it came about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tests.faults.people import Person
from tests.faults.servers import Server

# How a call may end that was not executed, or not wholly.
UNDONE = frozenset(("interrupted",))


async def all_is_well(server: Server, people: Sequence[Person]) -> list[Any]:
    """Everything settled, once, in order, and seen by everybody as it is. Gives the state's items."""
    for person in people:
        await person.now.connected(20)
        await person.settled()
    items: list[Any] = await people[0].now.invoke("items")
    for person in people:
        await person.now.until(lambda person=person: len(person.view) >= len(items), 20)  # type: ignore[misc]
        assert person.view == items, f"{person.name} does not see what is"
        assert person.now.complaints == []
    executed: dict[str, list[int]] = defaultdict(list)
    for _, name, n in items:
        executed[name].append(n)
    for person in people:
        check_calls(person, executed[person.name])
    return items


def check_calls(person: Person, executed: list[int]) -> None:
    """Each call of a tab was applied once, in order, and its answer says so."""
    assert executed == sorted(set(executed)), f"calls of {person.name} ran twice, or in another order: {executed}"
    assert set(executed) <= set(person.asked)
    ended = person.outcomes()
    left = {n for n, _ in person.abandoned}
    for n in person.asked:
        if n in left:
            continue
        if n in executed:
            assert ended[n] in ("ok", "interrupted"), (
                f"call {n} of {person.name} was applied, but ended with {ended[n]}"
            )
        else:
            answer = next(answer for number, answer in person.answers if number == n)
            assert ended[n] in UNDONE, f"call {n} of {person.name} was not applied, but ended with {answer!r}"
