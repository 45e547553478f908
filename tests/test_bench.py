"""`make bench` runs and produces every figure that was asked for; what the figures say is not looked at."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import memory
from tests.bench.scale import QUICK
from tests.bench.servers import Bare
from tests.bench.workbench import Workbench

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "tests.bench", "--quick"]
TIMEOUT = 240  # seconds; on a quiet machine it takes about fifteen

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark pins processes to cores: Linux only")

# The names that hold figures of the issue, by part; each is the end of one that has been measured.
ASKED = {
    "calls": (
        "1 caller: calls per second",
        "1 caller: latency p50",
        "1 caller: latency p99",
        "1 caller: p50 beyond bare p50, paired",
        "one fsync, in place, p50",
        "5 callers: calls per server CPU second",
    ),
    "fanout": (
        "to 10: deliveries per server CPU second",
        "to 10: deliveries per second",
        "to 10: call to last receipt p50",
    ),
    "requests": ("pages per server CPU second", "joins per server CPU second"),
    "memory": ("joined, page loaded and connected", "of these: the connection"),
    "restarts": ("200 calls in the session's journal", "300 patches in other sessions"),
    "items": ("bytes of journal per item", "against 1-50: bytes", "against 1-50: time"),
    "first-page": ("requests", "on the wire"),
}


def test_everything_is_measured(tmp_path: Path) -> None:
    written, page = tmp_path / "bench.json", tmp_path / "benchmarks.md"
    run = subprocess.run(
        [*COMMAND, "--json", str(written), "--page", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(written.read_text())
    found = {part: [figure["name"] for figure in report["figures"] if figure["part"] == part] for part in ASKED}
    for part, names in ASKED.items():
        missing = [name for name in names if not any(measured.endswith(name) for measured in found[part])]
        assert missing == [], f"{part}: {found[part]}"
    assert all(math.isfinite(figure["value"]) for figure in report["figures"])
    assert {"processor", "cores", "kernel", "Python"} <= report["machine"].keys()
    for figure in report["figures"]:
        assert figure["name"] in run.stdout
        assert figure["name"] in page.read_text()


def test_ctrl_c_ends_all_servers() -> None:
    bench = subprocess.Popen([*COMMAND, "--only", "fanout"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert bench.stderr is not None
        assert "fan-out" in bench.stderr.readline()
        servers = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()
        bench.send_signal(signal.SIGINT)
        assert "all servers have ended" in bench.communicate(timeout=TIMEOUT)[1]
    finally:
        bench.kill()
    assert servers
    assert bench.returncode == 130
    assert [pid for pid in servers if Path(f"/proc/{pid}").exists()] == []


async def test_evidence_37_a_participant_costs_kilobytes_not_megabytes(tmp_path: Path) -> None:
    scale = QUICK._replace(connections=200, memory_settled=0.5)
    with Bare() as bare:
        figures = await memory.measure(Workbench(scale, bare, tmp_path))
    whole = next(figure for figure in figures if figure.name == "joined, page loaded and connected")
    assert 0 < whole.value < 90, "kB of server memory per participant; the benchmark's target is 45 for 1,000 of them"
