"""Evidence 11, 18, 38, 39: many at once, one who wants too much, one who reads too slowly: nobody else is disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.bench.servers import Bare
from tests.client_python.stranger import PageConfig, Stranger
from tests.faults.network import networks
from tests.faults.people import HASTE, Person, open_raw
from tests.faults.servers import QUICK, UNLIMITED, Server, serving, until

pytestmark = pytest.mark.usefixtures("hasty")
CROWD = 200
PATIENT = 5.0  # seconds that somebody else's call may take; two busy cores, not a benchmark
ADMITTED = 10.0  # seconds within which all of them are there
QUIET = 1.5  # seconds that as many take against a bare server, on two cores that do nothing else
_TOKEN = re.compile(r"[a-z0-9]{12}-[a-z0-9]{26}")


class Newcomer:
    """Somebody who comes by the session's link, in a browser of their own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.path = ""
        self.secret = ""
        self.received: list[str] = []  # every page and frame, as text
        self.line: Stranger | None = None

    async def come(self) -> None:
        """Join, load the page, connect."""
        server = self._server
        join = httpx.URL(server.opened["join"]).path
        async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False, verify=False) as browser:
            self.received.append((await browser.get(join)).text)
            joined = await browser.post(join)
            assert joined.status_code == 303, joined.text
            self.path = joined.headers["location"]
            page = (await browser.get(self.path)).text
        self.received.append(page)
        config = PageConfig.from_html(page)
        self.secret = config.vars["secret"]
        line = self.line = Listening(
            f"ws://127.0.0.1:{server.port}{config.live}", config.stay, config.base, retry_every=HASTE
        )
        line.received = self.received
        line.start()
        await line.connected(30)

    async def speak(self, number: int) -> None:
        """Ask for what is private, say something to everybody."""
        assert self.line is not None
        assert await self.line.invoke("private") == self.secret
        await self.line.invoke("add", f"newcomer{number}", number)

    @property
    def token(self) -> str:
        return self.path.strip("/").removeprefix("p/")


class Listening(Stranger):
    """Keeps all that the server says."""

    received: list[str]

    async def _take(self, frame: dict[str, Any], *more: Any) -> None:
        self.received.append(json.dumps(frame))
        await super()._take(frame, *more)


async def slowness() -> float:
    """How many times slower than a quiet one this machine is now: the same crowd against a server that does nothing."""

    async def come(port: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False) as browser:
            for _ in range(3):
                await browser.get("/", timeout=60)
        async with connect(f"ws://127.0.0.1:{port}/echo", compression=None, proxy=None, open_timeout=60) as socket:
            await socket.send("hello")
            await socket.recv()

    with Bare() as bare:
        began = time.monotonic()
        await asyncio.gather(*(come(bare.port) for _ in range(CROWD)))
        return max(1.0, (time.monotonic() - began) / QUIET)


async def test_evidence_38_two_hundred_join_within_ten_seconds_and_each_gets_only_what_is_theirs(
    tmp_path: Path,
) -> None:
    before = await slowness()
    with serving(tmp_path) as server:
        crowd = [Newcomer(server) for _ in range(CROWD)]
        used, began = server.cpu(), time.monotonic()
        await asyncio.gather(*(one.come() for one in crowd))
        took, used = time.monotonic() - began, server.cpu() - used
        assert used < ADMITTED, "the server could not have admitted them in time on any machine with its core"
        scale = max(before, await slowness())
        assert took < ADMITTED * scale, f"{took:.1f} s, on a machine {scale:.1f} times slower than a quiet one"
        await asyncio.gather(*(one.speak(number) for number, one in enumerate(crowd)))
        lines = [one.line for one in crowd if one.line is not None]
        items = await lines[0].invoke("items")
        assert sorted(n for _, _, n in items) == list(range(CROWD))
        assert sorted(player for player, _, _ in items) == list(range(1, CROWD + 1))
        for line in lines:
            await line.until(lambda line=line: line.named("Added")[-1] == items[-1])  # type: ignore[misc]

        tokens = {one.token for one in crowd}
        secrets = {one.secret for one in crowd}
        assert len(tokens) == len(secrets) == CROWD
        for one in crowd:
            seen = "\n".join(one.received)
            assert set(_TOKEN.findall(seen)) <= {one.token}, "somebody was given another's token"
            assert set(re.findall(r"private-\d+", seen)) == {one.secret}, "somebody was given another's secret"
        for line in lines:
            await line.close()
        assert server.complaints() == ""


async def test_evidence_39_a_ninth_connection_of_one_player_is_refused_and_takes_nothing_away(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        eight = [await open_raw(server) for _ in range(8)]
        for number, raw in enumerate(eight[:7]):
            await raw.hello(document=f"d{number}")
        ninth = await open_raw(server)
        with contextlib.suppress(ConnectionClosed):
            await ninth.say({"type": "hello", "version": 1, "stay": 1, "document": "d0", "base": 0, "handled": 0})
        assert await ninth.closed() == 4029
        assert {"type": "bye", "reason": "flood"} in [m for frame in ninth.frames for m in frame["messages"]]
        await eight[7].hello(document="d7")
        async with Person(server, 2) as other:  # another player is another matter
            await other.ask()
        for number, raw in enumerate(eight):  # also the one whose document the ninth claimed to be
            await raw.message("event", name="Added")
            await raw.say({"type": "call", "n": 1, "method": "echo", "args": [number]})
            assert (await raw.message("reply"))["ok"] == number
        await eight[0].socket.close()
        tenth = await open_raw(server)
        await tenth.hello(document="d9")
        for raw in [tenth, *eight]:
            await raw.socket.close()


async def test_evidence_39_a_flood_of_calls_is_refused_and_nobody_else_waits(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        flooder = await open_raw(server)
        await flooder.hello()
        async with Person(server, 2) as other:
            for n in range(1, 401):
                await flooder.say({"type": "call", "n": n, "method": "add", "args": ["flood", n]})
            began = time.monotonic()
            assert await other.now.invoke("echo", 1) == 1
            assert time.monotonic() - began < PATIENT
            outcomes: dict[int, str] = {}
            while len(outcomes) < 400:
                frame = json.loads(await flooder.socket.recv())
                for message in frame["messages"]:
                    if message["type"] in ("reply", "error"):
                        outcomes[message["n"]] = message.get("code", "ok")
            assert set(outcomes.values()) == {"ok", "rate"}
            done = [n for n, code in outcomes.items() if code == "ok"]
            items = await other.now.invoke("items")
            assert [n for _, _, n in items] == sorted(done)  # what was refused was not done
            assert 100 <= len(done) < 300
            # Sent again, as after a reconnect, each has the same answer; none of it is executed now, and none counts.
            for n in range(1, 401):
                await flooder.say({"type": "call", "n": n, "method": "add", "args": ["flood", n]})
            for n in range(1, 401):
                message = await flooder.message("reply" if outcomes[n] == "ok" else "error", n=n)
                assert message.get("code", "ok") == outcomes[n]
            assert await other.now.invoke("items") == items
        await flooder.socket.close()


async def test_evidence_39_a_flood_of_frames_is_closed_with_its_own_code(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        for frame in ('{"type": "ping"}', "nonsense", b"\x00\x01", '{"type": "handled", "seq": 1}'):
            flooder = await open_raw(server)
            await flooder.hello(document=str(len(frame)))
            async with Person(server, 2) as other:
                for _ in range(3000):
                    flooder.socket.transport.write(b"")
                    await flooder.say(frame)
                    if flooder.socket.close_code is not None:
                        break
                assert await flooder.closed() == 4029
                assert await other.now.invoke("echo", 1) == 1
                assert other.now.connections == 1


async def test_evidence_18_a_slow_reader_is_closed_slows_nobody_and_resumes_with_everything(tmp_path: Path) -> None:
    """What waits for it is bounded in memory; what it has missed comes when it comes back."""
    settings = {**QUICK, **UNLIMITED, "GRIMOIRE_GRACE_PING": "30", "GRIMOIRE_LIMITS_OUTBOX_BYTES": "100000000"}
    with serving(tmp_path, 3, settings=settings) as server:
        async with networks(server.port, 1) as (line,), Person(server, 1) as teller, Person(server, 2) as other:
            slow = await open_raw(server, 3, port=line.port)
            await slow.hello(document="slow")
            line.stall()
            before = (await teller.now.invoke("counts"))["resident"]
            count = 300
            for number in range(count):
                began = time.monotonic()
                await teller.now.invoke("shout", 50_000)
                await teller.now.invoke("add", "teller", number)
                assert time.monotonic() - began < PATIENT
            await other.now.until(lambda: len(other.now.named("Added")) == count)
            assert (await teller.now.invoke("counts"))["resident"] - before < 80_000_000
            line.heal()
            assert await slow.closed() == 4008
            seen = [m["data"] for frame in slow.frames for m in frame["messages"] if m.get("name") == "Added"]
            assert len(seen) < count  # it was closed before all was sent
            handled = max(frame["seq"] for frame in slow.frames)
            again = await open_raw(server, 3)
            again.page = slow.page
            assert (await again.hello(document="slow", handled=handled))["resync"] is False
            while len(seen) < count:
                seen.append((await again.message("event", name="Added"))["data"])
            assert [n for _, _, n in seen] == list(range(count))
            await again.socket.close()
        assert server.complaints() == ""


@pytest.mark.parametrize("remembered", [True, False], ids=["in memory", "after a restart"])
async def test_evidence_11_whoever_missed_more_than_is_held_is_told_so_and_goes_on(
    tmp_path: Path, remembered: bool
) -> None:
    settings = {**QUICK, **UNLIMITED, "GRIMOIRE_LIMITS_OUTBOX_EVENTS": "50"}
    with serving(tmp_path, 2, settings=settings) as server:
        async with (
            networks(server.port, 1) as (line,),
            Person(server, 1) as teller,
            Person(server, 2, line.port) as away,
        ):
            for resyncs in (1, 2):
                line.close()
                line.cut()
                await until(lambda: away.now._socket is None)
                await asyncio.gather(*(teller.ask() for _ in range(60)))
                if not remembered:
                    server.kill()
                    server.start()
                line.heal()
                await away.now.until(lambda resyncs=resyncs: away.now.resyncs == resyncs)  # type: ignore[misc]
                # Everything from here on arrives, on this connection and on the next.
                await teller.ask()
                await away.now.until(lambda: away.view[-1:] == teller.view[-1:])
                await away.now.drop()
                await away.now.connected()
                await teller.ask()
                await away.now.until(lambda: away.view[-1:] == teller.view[-1:])
                assert away.now.resyncs == resyncs
