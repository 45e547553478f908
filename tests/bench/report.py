"""Figures as a table on a terminal, as JSON, and as the page docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from tests.bench.figures import BUSY, Figure

_HEAD = ("", "here", "bare", "here/bare", "target", "")
_MARK = "†"


class Report(msgspec.Struct):
    """One run of the benchmark."""

    machine: dict[str, str]
    seconds: float
    figures: list[Figure]

    def json(self) -> str:
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"


def table(figures: Sequence[Figure]) -> str:
    """For people at a terminal."""
    lines: list[tuple[str, ...]] = [_HEAD]
    part = ""
    for figure in figures:
        if figure.part != part:
            part = figure.part
            lines.append((_title(part), "", "", "", "", ""))
        lines.append(_cells(figure))
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    text = []
    for first, *rest in lines:
        numbers = [cell.rjust(width) for cell, width in zip(rest[:3], widths[1:4], strict=True)]
        text.append("  ".join([first.ljust(widths[0]), *numbers, rest[3].ljust(widths[4]), rest[4]]).rstrip())
    return "\n".join([*text, "", *_legend(figures)])


def write_page(report: Report, path: Path) -> None:
    """docs/benchmarks.md."""
    lines = [
        "# Benchmarks",
        "",
        _INTRODUCTION,
        *_machine(report.machine),
        "",
        *_sections(report.figures),
        *_legend(report.figures),
        "",
        "## How it was measured",
        "",
        _METHOD,
        "## As JSON",
        "",
        "With every run: `[here, bare]`.",
        "",
        "<details><summary>JSON</summary>",
        "",
        "```json",
        msgspec.json.encode(report).decode(),
        "```",
        "",
        "</details>",
        "",
    ]
    path.write_text("\n".join(lines), "utf-8")


_INTRODUCTION = """\
Written by `make bench`; do not edit. Measured in one run, next to a bare Starlette/uvicorn server with the same
settings (uvloop, httptools, sansio websockets, no per-message compression). Server and client are pinned to a core
each. Runs of both servers take turns; values are medians of these runs, ratios are medians of the runs' ratios. Rate
limits are lifted. The bare server stores nothing. What is in the column *target* was asked for before anything was
built; the benchmark does not judge.
"""
_METHOD = """\
- **Calls**: callers in a closed loop call a method that sets a field of the player and returns a small dict; each
  call is durable before it is answered. Bare: an echo of a message of the same form.
- **One caller**: short runs of both in turn, differences of their p50. *One fsync* is a write of as many bytes as one
  call adds to SQLite's log, and `fdatasync`, on the same file system, between these runs.
- **Fanout**: one participant notifies all; the next message follows when everybody has it and the sender its reply.
  Bare: encoded once, sent in turn to every connection.
- **Requests**: over connections that are kept. A page is that of a participant who has joined, as a browser asks for
  it (gzip). A join is the POST of the session link by a new visitor, durable when it is answered.
- **Memory**: resident memory before and after; one participant went through everything beforehand.
- **Restarts**: the clock starts with the process. The client tries every 10 ms with a call that has not settled.
- **Items**: size of the database and its write-ahead log after a checkpoint. Two sessions take turns, one with an
  empty list and one with a long one; the column *bare* holds the first items.
- **First page**: everything that the page refers to, compressed, with the headers of the answers.
"""


def _machine(machine: Mapping[str, str]) -> list[str]:
    return ["| machine | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine.items())]


def _sections(figures: Sequence[Figure]) -> list[str]:
    lines: list[str] = []
    part = ""
    for figure in figures:
        if figure.part != part:
            part = figure.part
            head = "| | here | bare | here/bare | target | |"
            lines += [
                *([""] if lines else []),
                f"## {_title(part)}",
                "",
                head,
                "|---|--:|--:|--:|---|---|",
            ]
        lines.append(f"| {' | '.join(_cells(figure))} |")
    return [*lines, ""]


def _title(part: str) -> str:
    return part.replace("-", " ").capitalize()


def _cells(figure: Figure) -> tuple[str, ...]:
    here = _number(figure.value, figure.unit) + _mark(figure)
    bare = _number(figure.bare, figure.unit) if figure.bare is not None else ""
    ratio = f"{figure.ratio * 100:,.1f} %" if figure.ratio is not None else ""
    return figure.name, here, bare, ratio, figure.target, figure.note


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def _mark(figure: Figure) -> str:
    """A mark where the client's core was busy in most of the runs."""
    return f" {_MARK}" if figure.client_busy and median(figure.client_busy) > BUSY else ""


def _legend(figures: Sequence[Figure]) -> list[str]:
    busy = f"over {BUSY * 100:.0f} % busy in most of the runs"
    if not any(_mark(figure) for figure in figures):
        return [f"In no figure was the client's core {busy}."]
    return [f"{_MARK} The client's core was {busy}: it may be what limits the rate."]
