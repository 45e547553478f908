"""Figures: what a run measured, and medians over interleaved runs next to the bare server's.

Owns how figures are made from runs and rounded; never measures anything and never says whether one is good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from statistics import median
from typing import NamedTuple

import msgspec

BUSY = 0.8  # share of its core above which the client may be what limits


class Run(NamedTuple):
    """One stretch of measuring one server."""

    answers: int  # or deliveries
    seconds: float
    server_cpu: float  # seconds
    client_busy: float  # share of the client's core
    p50: float  # seconds
    p99: float

    @property
    def rate(self) -> float:
        return self.answers / self.seconds

    @property
    def per_cpu(self) -> float:
        """Per second of the server's processor time."""
        return self.answers / self.server_cpu


class Pair(NamedTuple):
    """The framework and the bare server, one right after the other."""

    here: Run
    bare: Run


class Figure(msgspec.Struct, omit_defaults=True):
    """One line of the table. `runs` holds, for each interleaved run, the framework's value and the bare server's."""

    part: str
    name: str
    unit: str
    value: float
    bare: float | None = None
    ratio: float | None = None  # median of the runs' ratios
    target: str = ""  # as the issue puts it
    note: str = ""
    runs: list[list[float]] = []
    client_busy: list[float] = []  # in each run, the busier of the two


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def rounded(value: float) -> float:
    """To four significant digits."""
    return float(f"{value:.4g}")


def single(part: str, name: str, unit: str, values: Sequence[float], *, target: str = "", note: str = "") -> Figure:
    """The median of what was measured without a bare counterpart."""
    runs = [[rounded(value)] for value in values] if len(values) > 1 else []
    return Figure(part, name, unit, rounded(median(values)), target=target, note=note, runs=runs)


def beside(part: str, name: str, unit: str, here: float, bare: float, *, target: str = "", note: str = "") -> Figure:
    """A single measurement of both."""
    return Figure(part, name, unit, rounded(here), rounded(bare), rounded(here / bare), target, note)


def compared(
    part: str,
    name: str,
    unit: str,
    pairs: Sequence[Pair],
    of: Callable[[Run], float],
    *,
    scale: float = 1.0,
    target: str = "",
    note: str = "",
) -> Figure:
    """Medians of interleaved runs, and the median of their ratios."""
    here = [of(pair.here) * scale for pair in pairs]
    bare = [of(pair.bare) * scale for pair in pairs]
    return Figure(
        part,
        name,
        unit,
        rounded(median(here)),
        rounded(median(bare)),
        rounded(median(mine / other for mine, other in zip(here, bare, strict=True))),
        target,
        note,
        [[rounded(mine), rounded(other)] for mine, other in zip(here, bare, strict=True)],
        [round(max(pair.here.client_busy, pair.bare.client_busy), 2) for pair in pairs],
    )
