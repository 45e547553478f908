"""The servers under measurement, as processes of their own, pinned to one core; what they have used so far."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVER_CORE, CLIENT_CORE = 0, 1
_TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A process on the server's core."""

    def __init__(self, command: list[str], port: int, environment: dict[str, str] | None = None) -> None:
        self.port = port
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**os.environ, **(environment or {})}, preexec_fn=_pin
        )
        self.pid = self._process.pid

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()

    def cpu(self) -> float:
        """Seconds of processor time of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def resident(self) -> int:
        """Bytes of resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(how)
        self._process.wait(30)


def _pin() -> None:
    os.sched_setaffinity(0, {SERVER_CORE})


def raw_server() -> Server:
    port = free_port()
    server = Server([sys.executable, "-m", "tests.bench.raw", str(port)], port)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("the bare server does not answer")


_NO_LIMITS = {
    "GRIMOIRE_LIMITS_CALLS_PER_SECOND": "1e9",
    "GRIMOIRE_LIMITS_CALL_BURST": "1000000000",
    "GRIMOIRE_LIMITS_FRAMES_PER_SECOND": "1e9",
    "GRIMOIRE_LIMITS_FRAME_BURST": "1000000000",
}


class Product(Server):
    """`promptgrimoire run` of the measured experiment. `players` are the paths of the player links."""

    def __init__(self, database: Path, players: int, port: int = 0) -> None:
        port = port or free_port()
        command = [sys.executable, "-m", "promptgrimoire", "run", str(Path(__file__).parent / "app"), "--production"]
        command += ["--port", str(port), "--database", f"sqlite:///{database}", "--json"]
        command += ["--players", str(players)] if players else []
        super().__init__(command, port, _NO_LIMITS)
        opened = json.loads(self.line())
        self.session = opened["session"]
        self.join = opened["join"]
        self.players = ["/p/" + link.rstrip("/").rpartition("/")[2] + "/" for link in opened["players"]]
