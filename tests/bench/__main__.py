"""`python -m tests.bench`: runs the measurements, prints the table, writes JSON and docs/benchmarks.md.

Owns the order, the processes' end and the command line. See `scale.py` for how much is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import uvloop

from tests.bench import calls, fanout, first_page, forms, items, memory, requests, restarts
from tests.bench.figures import Figure
from tests.bench.machine import describe
from tests.bench.report import Report, table, write_page
from tests.bench.scale import QUICK, WHOLE, Scale
from tests.bench.servers import CLIENT_CORE, ROOT, Bare
from tests.bench.workbench import Workbench

PARTS: Mapping[str, Callable[[Workbench], Awaitable[list[Figure]]]] = MappingProxyType(
    {
        "calls": calls.measure,
        "fanout": fanout.measure,
        "requests": requests.measure,
        "forms": forms.measure,
        "memory": memory.measure,
        "restarts": restarts.measure,
        "items": items.measure,
        "first-page": first_page.measure,
    }
)
PAGE = ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that everything runs; the figures mean nothing")
    parser.add_argument("--only", action="append", choices=list(PARTS), metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there, too")
    parser.add_argument("--page", type=Path, metavar="PATH", help=f"write the page (a whole run: {PAGE.name} in docs)")
    options = parser.parse_args(arguments)
    names = options.only or list(PARTS)
    page = options.page or (None if options.quick or options.only else PAGE)
    try:
        report = _run(QUICK if options.quick else WHOLE, names)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted; all servers have ended", file=sys.stderr)
        return 130
    print(table(report.figures))
    if options.json:
        options.json.write_text(report.json(), "utf-8")
    if page:
        write_page(report, page)
    return 0


def _run(scale: Scale, names: Sequence[str]) -> Report:
    """Measure these parts, in a folder that is removed afterwards, with servers that end with it."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    build = ROOT / "build"  # on the disk of the checkout: /tmp may be memory
    build.mkdir(exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=build, prefix="bench-") as folder, Bare() as bare:
        machine = describe(Path(folder))
        figures = uvloop.run(_measure(Workbench(scale, bare, Path(folder)), names))
    return Report(machine, round(time.monotonic() - began, 1), figures)


async def _measure(bench: Workbench, names: Sequence[str]) -> list[Figure]:
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    figures: list[Figure] = []
    for name in names:
        figures += await PARTS[name](bench)
    return figures


if __name__ == "__main__":
    sys.exit(main())
