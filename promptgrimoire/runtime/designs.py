"""Combinatorial designs behind the matching schedules: transversal designs over finite rings, rotations, cubes. Pure.

Players are numbers from 0; each function gives rounds, lists of groups. Owns the arithmetic; which schedule is wanted
is matching.py's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

Round = list[list[int]]

_WORK = 30_000  # places looked at while steps of a rotation are tried out, all in all: some 30 ms


# -------------------------------------------------------------------- nobody meets twice


def shifted_rounds(players: int, size: int, n: int) -> list[Round]:
    """n rounds in which nobody meets twice, or as many as this construction gives (`shifted_count`), at least one.

    The players stand in `size` rows of q. In round r, place j of row 0 meets place j + r·x of each other row, where x
    belongs to the row; two players of different rows meet in round r only if r times the difference of their x is the
    distance of their places. So nobody meets twice if these products differ: for all r of a ring of q elements where
    the differences of the x are units, which a product of finite fields, each of at least `size` elements, has
    (Bose 1938, MacNeish 1922); else for the first few r of the numbers modulo q. Players of one row never meet by
    that, so that the rows may go on by themselves, if their length allows it.
    """
    q = players // size
    usable = _shifts(q, size)
    if q < size:
        return [[list(range(first, first + size)) for first in range(0, players, size)]]
    rounds = []
    ring = _Ring(_prime_powers(q) if usable == q else [])
    for r in range(min(n, usable)):
        moves = [ring.times(r, ring.constant(row)) if usable == q else r * row for row in range(size)]
        rounds.append(
            [
                [
                    row * q + (ring.plus(place, moves[row]) if usable == q else (place + moves[row]) % q)
                    for row in range(size)
                ]
                for place in range(q)
            ]
        )
    if len(rounds) < n and q % size == 0:
        inner = shifted_rounds(q, size, n - len(rounds))
        rounds += [[[row * q + one for one in group] for row in range(size) for group in groups] for groups in inner]
    return rounds


def shifted_count(players: int, size: int) -> int:
    """How many rounds `shifted_rounds` has for so many players."""
    q = players // size
    if q < size:
        return 1
    return _shifts(q, size) + (shifted_count(q, size) if q % size == 0 else 0)


def _shifts(q: int, size: int) -> int:
    if min(_prime_powers(q)) >= size:
        return q
    return q // max(one for one in range(1, size) if q % one == 0)


def _prime_powers(number: int) -> list[int]:
    """60 -> [4, 3, 5]; 1 -> [1]."""
    found = []
    prime = 2
    while number > 1:
        power = 1
        while number % prime == 0:
            number //= prime
            power *= prime
        if power > 1:
            found.append(power)
        prime += 1
    return found or [1]


class _Ring:
    """A product of finite fields; elements are numbers from 0, written in mixed radix."""

    def __init__(self, orders: list[int]) -> None:
        self._fields = [_Field(order) for order in orders]

    def plus(self, one: int, other: int) -> int:
        return self._each(one, other, _Field.plus)

    def times(self, one: int, other: int) -> int:
        return self._each(one, other, _Field.times)

    def constant(self, number: int) -> int:
        """One of several elements whose differences are units: the same number in each field."""
        found = 0
        for field in reversed(self._fields):
            found = found * field.order + number
        return found

    def _each(self, one: int, other: int, operation: object) -> int:
        assert callable(operation)
        found, weight = 0, 1
        for field in self._fields:
            one, left = divmod(one, field.order)
            other, right = divmod(other, field.order)
            found += weight * operation(field, left, right)
            weight *= field.order
        return found


class _Field:
    """The finite field of a prime power. An element's digits to the base of the prime are a polynomial."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.prime = next((one for one in range(2, order + 1) if order % one == 0), 1)
        self.degree = 0
        while self.prime**self.degree < order:
            self.degree += 1
        self._modulus = self._irreducible() if self.degree > 1 else []

    def plus(self, one: int, other: int) -> int:
        if self.degree <= 1:
            return (one + other) % self.order
        digits = zip(self._digits(one, self.degree), self._digits(other, self.degree), strict=True)
        return self._number([left + right for left, right in digits])

    def times(self, one: int, other: int) -> int:
        if self.degree <= 1:
            return one * other % self.order
        product = [0] * (2 * self.degree - 1)
        for left, a in enumerate(self._digits(one, self.degree)):
            for right, b in enumerate(self._digits(other, self.degree)):
                product[left + right] += a * b
        return self._number(self._remainder(product, self._modulus))

    def _digits(self, number: int, count: int) -> list[int]:
        found = []
        for _ in range(count):
            number, digit = divmod(number, self.prime)
            found.append(digit)
        return found

    def _number(self, digits: list[int]) -> int:
        return sum(digit % self.prime * self.prime**place for place, digit in enumerate(digits))

    def _remainder(self, polynomial: list[int], monic: list[int]) -> list[int]:
        left = [digit % self.prime for digit in polynomial]
        degree = len(monic) - 1
        for place in range(len(left) - 1, degree - 1, -1):
            factor = left[place]
            for offset, digit in enumerate(monic):
                left[place - degree + offset] = (left[place - degree + offset] - factor * digit) % self.prime
        return left[:degree]

    def _irreducible(self) -> list[int]:
        """The first monic polynomial of that degree without a divisor."""
        for number in range(self.order):
            candidate = [*self._digits(number, self.degree), 1]
            if all(any(self._remainder(candidate, divisor)) for divisor in self._divisors()):
                return candidate
        raise AssertionError("every finite field has an irreducible polynomial")

    def _divisors(self) -> Iterator[list[int]]:
        for degree in range(1, self.degree // 2 + 1):
            for number in range(self.prime**degree):
                yield [*self._digits(number, degree), 1]


# -------------------------------------------------------------------- nobody is influenced by their own past


def contagion_free(players: int, size: int, n: int) -> list[Round] | None:
    """n rounds in which nobody meets anybody whom they influenced, directly or through others; None if none is known.

    Rotation: the players stand in `size` rows; in round r, row i has moved on by r times its step. For two rows, steps
    0 and 1 do for as many rounds as a row is long (Kamecke 1997): along a chain of ever later rounds r1 < r2 < … the
    moves r1 - r2 + r3 - … never reach the round that follows. For more rows, steps that grow fast enough do likewise,
    in rows that are long enough; in shorter ones, small steps are tried out.

    Cube: where there are size**n players (or a multiple), those meet in round r who differ in coordinate r only;
    whoever influenced them agrees with them in all later coordinates.
    """
    q = players // size
    growing = (0, *((n + 2) ** row for row in range(size - 1)))
    if n == 1 or n * growing[-1] < q or (size == 2 and n <= q):
        return _rotation(q, growing, n)
    if _has_cube(players, size, n):
        return _cube(players, size, n)
    budget = [_WORK]
    for steps in combinations(range(1, q), size - 1):
        if _is_free(q, (0, *steps), n, budget):
            return _rotation(q, (0, *steps), n)
        if budget[0] < 0:
            break
    return None


def is_known_free(players: int, size: int, n: int) -> bool:
    """Whether `contagion_free` has such rounds without trying anything out."""
    q = players // size
    return n == 1 or (n <= q if size == 2 else n * (n + 2) ** (size - 2) < q) or _has_cube(players, size, n)


def _has_cube(players: int, size: int, n: int) -> bool:
    return n < players.bit_length() and players % size**n == 0  # no power of millions of digits


def _rotation(q: int, steps: tuple[int, ...], n: int) -> list[Round]:
    return [
        [[row * q + (place + r * step) % q for row, step in enumerate(steps)] for place in range(q)] for r in range(n)
    ]


def _cube(players: int, size: int, n: int) -> list[Round]:
    rounds = []
    for r in range(n):
        step = size**r
        starts = [player for player in range(players) if player // step % size == 0]
        rounds.append([[start + step * one for one in range(size)] for start in starts])
    return rounds


def _is_free(q: int, steps: tuple[int, ...], n: int, budget: list[int]) -> bool:
    """Whether a rotation keeps everybody from those whom they influenced. All places of a row are alike."""
    rows = range(len(steps))
    # reached[i][k]: where, relative to a player of row i, those of row k stand whom that player influenced
    reached: list[list[set[int]]] = [[{0} if row == other else set() for other in rows] for row in rows]
    for r in range(n):
        for origin in rows:
            for other in rows:
                if other != origin and r * (steps[other] - steps[origin]) % q in reached[origin][other]:
                    return False
        for origin in rows:
            before = [set(places) for places in reached[origin]]
            for row in rows:
                budget[0] -= len(before[row])
                if budget[0] < 0:
                    return False
                for place in before[row]:
                    for other in rows:
                        reached[origin][other].add((place + r * (steps[other] - steps[row])) % q)
    return True
