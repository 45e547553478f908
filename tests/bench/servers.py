"""The servers under measurement, as processes of their own on a core of their own; and what they have used so far.

Owns starting and ending them: a server ends with its `with` block, and when the measuring process is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
APP = Path(__file__).parent / "app"
# Of the cores that this process may use the first is the servers', the second the client's.
CORES = tuple(sorted(os.sched_getaffinity(0)))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[min(1, len(CORES) - 1)]
LIFTED = MappingProxyType(
    {
        "GRIMOIRE_LIMITS_CALLS_PER_SECOND": "1e9",
        "GRIMOIRE_LIMITS_CALL_BURST": "1000000000",
        "GRIMOIRE_LIMITS_FRAMES_PER_SECOND": "1e9",
        "GRIMOIRE_LIMITS_FRAME_BURST": "1000000000",
    }
)
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_PROCESS_CLOCK = 2  # what clock_getcpuclockid makes of a process id: its CPU time, to the nanosecond


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process on the servers' core; as a context manager it is killed at the end."""

    def __init__(self, command: list[str], port: int) -> None:
        self.port = port
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env={**os.environ, **LIFTED},
            process_group=0,  # Ctrl+C is for the measuring process; it ends this one
            preexec_fn=_settle,
        )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def line(self) -> str:
        """What it prints next. Raises RuntimeError where it ended instead."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline().decode()
        if not text:
            raise RuntimeError(f"the server ended with code {self.process.wait(10)} before it answered")
        return text

    def cpu(self) -> float:
        """Seconds of processor time of all its threads."""
        return time.clock_gettime((~self.pid << 3) | _PROCESS_CLOCK)

    def resident(self) -> int:
        """Bytes of resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """`kill -9`; nothing where it has ended already."""
        self.process.kill()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _settle() -> None:
    """In the new process: on its core; ends when the one that measures ends, however that is."""
    os.sched_setaffinity(0, {SERVER_CORE})
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Bare(Server):
    """The bare Starlette/uvicorn server of `raw.py`."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__([sys.executable, "-m", "tests.bench.raw", str(port)], port)
        until = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise RuntimeError("the bare server does not answer")


def product_command(database: Path, port: int, players: int = 0, app: Path = APP) -> list[str]:
    """`promptgrimoire run` of the measured experiment."""
    command = [sys.executable, "-m", "promptgrimoire", "run", str(app), "--production", "--json"]
    command += ["--port", str(port), "--database", f"sqlite:///{database}"]
    return command + (["--players", str(players)] if players else [])


class Product(Server):
    """The framework with one session. `players` are the paths of the player links, `join` that of the session link."""

    def __init__(self, database: Path, players: int, app: Path = APP) -> None:
        self.database = database
        port = free_port()
        super().__init__(product_command(database, port, players, app), port)
        try:
            opened = json.loads(self.line())
        except BaseException:
            self.kill()
            raise
        self.join = _path(opened["join"])
        self.players = [_path(link) for link in opened["players"]]


def _path(link: str) -> str:
    return "/" + link.split("/", 3)[3]
