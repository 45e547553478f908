"""The real server as a process of its own: started, stopped, killed and started again on the same port and file.

Owns the process and its log. Never imports the server: what is known of it is what it prints and what it stores.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
APP = Path(__file__).resolve().parent / "app"
TORTURE = "1" in (os.environ.get("TORTURE"), os.environ.get("GRIMOIRE_TORTURE"))
PATIENCE = 20.0  # seconds until a condition that should come true counts as never

# Half-open sockets are noticed within a second, absence counts soon, a participant may hammer.
QUICK: Mapping[str, str] = {"GRIMOIRE_GRACE_PING": "1", "GRIMOIRE_GRACE_AWAY": "0.5", "GRIMOIRE_GRACE_SHUTDOWN": "1"}
UNLIMITED: Mapping[str, str] = {
    "GRIMOIRE_LIMITS_CALLS_PER_SECOND": "1e9",
    "GRIMOIRE_LIMITS_CALL_BURST": "1000000000",
    "GRIMOIRE_LIMITS_FRAMES_PER_SECOND": "1e9",
    "GRIMOIRE_LIMITS_FRAME_BURST": "1000000000",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`promptgrimoire run`. `lines` are the parsed lines of its standard output, `log` its standard error."""

    def __init__(
        self,
        folder: Path,
        *,
        target: Path = APP,
        database: Path | None = None,
        settings: Mapping[str, str] = QUICK,
        production: bool = True,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = database or folder / "journal.sqlite3"
        self.log_file = folder / "server.log"
        self.opened: dict[str, Any] = {}  # of the first start
        self.starts = 0
        self._target = target
        self._settings = dict(settings)
        self._production = production
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def begin(self, players: int = 0) -> subprocess.Popen[str]:
        """Start without waiting for it."""
        command = [sys.executable, "-m", "promptgrimoire", "run", str(self._target), "--port", str(self.port), "--json"]
        command += ["--database", f"sqlite:///{self.database}"]
        command += ["--players", str(players)] if players else []
        command += ["--production"] if self._production else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRIMOIRE_")}
        with self.log_file.open("a") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**environment, **self._settings},
            )
        self.starts += 1
        return self._process

    def start(self, players: int = 0) -> dict[str, Any]:
        """Start, and wait until it answers; gives what it has printed. Raises AssertionError with its log."""
        process = self.begin(players)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the server did not start:\n{self.log()}"
        found: dict[str, Any] = json.loads(line)
        if not self.opened:
            self.opened = found
        return found

    def stop(self) -> str:
        """SIGTERM; gives what was on standard output after the first line."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    close = kill

    def _end(self, how: signal.Signals) -> str:
        process, self._process = self._process, None
        if process is None:
            return ""
        process.send_signal(how)
        try:
            rest, _ = process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return rest

    async def restart(self, how: signal.Signals) -> None:
        """End it and start it again, while the event loop goes on."""
        await asyncio.to_thread(self._end, how)
        await asyncio.to_thread(self.start)

    def path(self, player: int) -> str:
        """The path of the n-th player's link (from 1)."""
        return httpx.URL(self.opened["players"][player - 1]).path

    def token(self, player: int) -> str:
        return self.path(player).strip("/").removeprefix("p/")

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def complaints(self) -> str:
        """The log from the first line on that no fault from outside may cause; "" where there is none."""
        lines = self.log().splitlines()
        words = (
            "Traceback",
            "Exception",
            "failed, reference",
            " failed (session ",
            "500 ",
            "never retrieved",
            "in the background",
        )
        for number, line in enumerate(lines):
            if any(word in line for word in words):
                return "\n".join(lines[max(0, number - 5) : number + 60])
        return ""

    def cpu(self) -> float:
        """Seconds of processor time that it has used: what a loaded machine does not change."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def verify(self) -> str:
        """What `promptgrimoire verify` prints. Raises AssertionError where something is damaged."""
        command = [sys.executable, "-m", "promptgrimoire", "verify", "--database", f"sqlite:///{self.database}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.contextmanager
def serving(folder: Path, players: int = 0, **arguments: Any) -> Iterator[Server]:
    """A server that answers; killed at the end, whatever happened."""
    server = Server(folder, **arguments)
    try:
        server.start(players)
        yield server
    finally:
        server.kill()


def wait_for(happens: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.02)


async def until(happens: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait, while the event loop goes on, for what other tasks and processes do."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "this never came true"
        await asyncio.sleep(0.01)
