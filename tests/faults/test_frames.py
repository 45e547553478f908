"""Evidence 12, 13, 17, 39: frames that no browser of ours sends. They cost nobody but their sender anything.

A sample here, a hundred thousand with `make torture`: no crash, no error in the log, no leak, and a well-behaved
participant beside it is neither disconnected nor kept waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import Frame, Opcode

from tests.faults.people import Person, RawSocket, get_page, open_raw
from tests.faults.servers import PATIENCE, QUICK, TORTURE, UNLIMITED, Server, serving

FRAMES = 100_000 if TORTURE else 3_000
LIMIT = 64_000
PATIENT = 5.0  # seconds that a call may take while somebody else misbehaves; two busy cores, not a benchmark


class Neighbour:
    """A well-behaved participant: calls all the time, notes how long the slowest took."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._working = True
        self._task: asyncio.Task[None] | None = None
        self.slowest = 0.0
        self.calls = 0

    async def __aenter__(self) -> Neighbour:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._working = False
        assert self._task is not None
        await self._task
        if error[0] is None:
            assert self._person.now.connections == 1, "the neighbour was disconnected"
            assert self.slowest < PATIENT, f"the neighbour had to wait for {self.slowest:.1f} s"
            assert self.calls > 0

    async def _work(self) -> None:
        while self._working:
            began = time.monotonic()
            assert await self._person.now.invoke("echo", self.calls) == self.calls
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.calls += 1
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def besieged(
    tmp_path: Path, settings: dict[str, str] | None = None, players: int = 3
) -> AsyncIterator[tuple[Server, Person]]:
    """A server with a well-behaved first player; afterwards everything must be as it was."""
    with serving(tmp_path, players, settings={**QUICK, **UNLIMITED} if settings is None else settings) as server:
        async with Person(server, 1) as neighbour:
            before = await neighbour.now.invoke("counts")
            async with Neighbour(neighbour):
                yield server, neighbour
            await check_leaks(neighbour, before)
        assert server.complaints() == ""
        server.stop()
        server.verify()


async def check_leaks(neighbour: Person, before: dict[str, int]) -> None:
    """What lives in the process returns to what it was, up to what each player may keep."""
    bounds = {"connections": 0, "tasks": 2, "documents": 2_000, "tables": 2_000, "open": 2}
    end = time.monotonic() + PATIENCE
    while True:
        after = await neighbour.now.invoke("counts")
        left = {name: after[name] - before[name] for name in bounds if after[name] > before[name] + bounds[name]}
        if not left:
            break
        assert time.monotonic() < end, f"this is left behind: {left}"
        await asyncio.sleep(0.1)
    assert after["resident"] - before["resident"] < 100_000_000, (before, after)


# ---------------------------------------------------------------------- one fault each

NESTED = "[" * 30_000 + "]" * 30_000
UNREADABLE = [
    "",
    " ",
    "{",
    "null",
    "[]",
    "42",
    '"call"',
    "{}",
    '{"type": 1}',
    '{"type": "nonsense"}',
    '{"type": "call"}',
    '{"type": "call", "n": "1", "method": "echo"}',
    '{"type": "call", "n": 1.5, "method": "echo"}',
    '{"type": "call", "n": NaN, "method": "echo"}',
    '{"type": "call", "n": 1e999, "method": "echo"}',
    '{"type": "call", "n": 0, "method": "echo", "args": {"a": [1,}}',
    '{"type": "call", "n": 0, "method": "\\ud800"}',
    '{"type": "call", "n": 1, "method": "wave", "document": "\\ud800"}',
    '{"type": "handled"}',
    '{"type": "handled", "seq": null}',
    '{"type": "handled", "seq": 1, "kept": {}}',
    '{"type": "here", "state": "gone"}',
    '{"type": "ping", "sent": "x"}',
    '{"type": "hello", "version": 1}',
    NESTED,
    '{"type": "call", "n": 0, "method": "echo", "args": ' + NESTED + "}",
    "\ufeff{}",
    '{"type": "call", "n": 0, "method": "echo"} trailing',
]


async def test_evidence_17_a_frame_that_cannot_be_read_is_answered_and_closes_nothing(tmp_path: Path) -> None:
    async with besieged(tmp_path) as (server, _):
        raw = await open_raw(server, 2)
        await raw.hello()
        for text in [*UNREADABLE, *(text.encode() for text in UNREADABLE)]:
            await raw.say(text)
            error = await raw.message("error", n=0)
            assert error["message"]
        await raw.say({"type": "call", "n": 1, "method": "echo", "args": ["still there"]})
        assert (await raw.message("reply"))["ok"] == "still there"
        await raw.socket.close()


ARGUMENTS = [
    '["\\ud800"]',
    '[{"\\udfff": 1}]',
    "[NaN]",
    "[-Infinity]",
    "[1e999]",
    f"[{'9' * 5000}]",
    "[" * 200 + "]" * 200,
    '[{"a":' * 101 + "1" + "}]" * 101,
    '{"value": 1}',
    '"value"',
    "null",
    "[1, 2, 3]",
]


async def test_evidence_17_a_call_with_impossible_arguments_is_refused_by_its_number(tmp_path: Path) -> None:
    """The call has an answer, the calls after it go on, and the journal can be read."""
    async with besieged(tmp_path) as (server, _):
        raw = await open_raw(server, 2)
        await raw.hello()
        for n, arguments in enumerate(ARGUMENTS, 1):
            await raw.say(f'{{"type": "call", "n": {n}, "method": "swallow", "args": {arguments}}}')
            error = await raw.message("error")
            assert (error["n"], error["code"]) == (n, "arguments"), arguments[:60]
        await raw.say({"type": "call", "n": len(ARGUMENTS) + 1, "method": "echo", "args": [1]})
        assert (await raw.message("reply"))["n"] == len(ARGUMENTS) + 1
        await raw.socket.close()
    with contextlib.closing(server):
        server.start()
        assert (await get_page(server, server.path(2))).status_code == 200


async def test_no_depth_of_nesting_gets_into_the_journal_that_cannot_be_read_back(tmp_path: Path) -> None:
    with serving(tmp_path, 1) as server:
        raw = await open_raw(server)
        for nested in [99, 101, 500, *range(940, 1000, 5), 3_000, 20_000]:
            text = "[" * nested + "]" * nested
            await raw.hello(document=f"nested{nested}")
            await raw.say(f'{{"type": "call", "n": 1, "method": "swallow", "args": {text}}}')
            await raw.message("reply" if nested < 100 else "error")
        await raw.socket.close()
        server.verify()
        server.kill()
        server.start()
        assert (await get_page(server, server.path(1))).status_code == 200


async def test_frames_that_are_too_large_are_answered_or_closed_when_enormous(tmp_path: Path) -> None:
    async with besieged(tmp_path) as (server, _):
        raw = await open_raw(server, 2)
        await raw.hello()
        envelope = len('{"type": "call", "n": 1, "method": "swallow", "args": [""]}')
        for size, answer in ((LIMIT - 1, "reply"), (LIMIT, "reply"), (LIMIT + 1, "error"), (2 * LIMIT - 100, "error")):
            n = {LIMIT - 1: 1, LIMIT: 2}.get(size, 3)
            await raw.say(f'{{"type": "call", "n": {n}, "method": "swallow", "args": ["{"x" * (size - envelope)}"]}}')
            found = await raw.message(answer)
            if answer == "error":
                assert (found["n"], found["code"]) == (0, "large")
        for size in (2 * LIMIT + 1000, 5_000_000):
            enormous = await open_raw(server, 2)
            await enormous.hello(document=f"enormous{size}")
            with contextlib.suppress(ConnectionClosed):
                await enormous.say("x" * size)
            assert await enormous.closed() == 1009
        await raw.socket.close()


async def test_fragments_and_control_frames_make_one_message(tmp_path: Path) -> None:
    async with besieged(tmp_path) as (server, _):
        raw = await open_raw(server, 2)
        await raw.hello()
        text = '{"type": "call", "n": 1, "method": "echo", "args": ["ä🙂"]}'.encode()
        pieces = [text[i : i + 3] for i in range(0, len(text), 3)]

        async def fragments() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece
                await raw.socket.ping()

        await send_fragments(raw, [piece async for piece in fragments()])
        assert (await raw.message("reply"))["ok"] == "ä🙂"
        await raw.say({"type": "call", "n": 2, "method": "echo", "args": [2]})
        assert (await raw.message("reply"))["ok"] == 2
        # Fragments that never end, or end in another message, are the sender's own affair.
        write_frame(raw, Opcode.TEXT, b'{"type": "ping"', fin=False)
        write_frame(raw, Opcode.TEXT, b'{"type": "ping"}', fin=True)
        assert await raw.closed() == 1002


async def send_fragments(raw: RawSocket, pieces: list[bytes]) -> None:
    for number, piece in enumerate(pieces):
        opcode = Opcode.TEXT if number == 0 else Opcode.CONT
        write_frame(raw, opcode, piece, fin=number == len(pieces) - 1)


def write_frame(raw: RawSocket, opcode: Opcode, data: bytes, *, fin: bool) -> None:
    raw.socket.transport.write(Frame(opcode, data, fin).serialize(mask=True))


async def test_who_does_not_say_hello_first_is_closed_with_its_own_code(tmp_path: Path) -> None:
    async with besieged(tmp_path, {**QUICK, "GRIMOIRE_GRACE_HELLO": "0.5"}) as (server, _):
        eager = await open_raw(server, 2)
        await eager.say({"type": "call", "n": 1, "method": "swallow", "args": []})
        assert await eager.closed() == 4001
        silent = await open_raw(server, 2)
        assert await silent.closed() == 4001
        other = await open_raw(server, 2)
        await other.say({"type": "hello", "version": 99, "stay": 1, "document": "x", "base": 0, "handled": 0})
        assert await other.closed() == 4010


async def test_a_second_hello_goes_on_where_the_first_was(tmp_path: Path) -> None:
    async with besieged(tmp_path) as (server, _):
        raw = await open_raw(server, 2)
        await raw.hello(document="one")
        await raw.say({"type": "call", "n": 1, "method": "echo", "args": [1]})
        await raw.message("reply", n=1)
        await raw.hello(document="one", next=2)
        await raw.say({"type": "call", "n": 2, "method": "echo", "args": [2]})
        await raw.message("reply", n=2)
        await raw.hello(document="two")  # another document on the same socket: the first has lost it
        await raw.say({"type": "call", "n": 1, "method": "add", "args": ["raw", 1]})
        await raw.message("reply", n=1)
        events = [m for frame in raw.frames for m in frame["messages"] if m["type"] == "event"]
        assert [event["name"] for event in events] == ["Added"]
        await raw.socket.close()


async def test_evidence_13_what_a_page_that_is_over_says_is_refused_as_such(tmp_path: Path) -> None:
    async with besieged(tmp_path) as (server, _):
        raw = await open_raw(server, 2)
        for stay in (raw.page.stay + 1, raw.page.stay - 1, -1, 2**63, 10**30):
            await raw.hello(document=f"stay{stay}", stay=stay)
            await raw.say({"type": "call", "n": 1, "method": "add", "args": ["raw", 1]})
            assert (await raw.message("error", n=1))["code"] == "stale", stay
        await raw.hello(document="now")
        await raw.say({"type": "call", "n": 1, "method": "items", "args": []})
        assert (await raw.message("reply"))["ok"] == []
        await raw.socket.close()


async def test_evidence_39_foreign_tokens_open_nothing(tmp_path: Path) -> None:
    async with besieged(tmp_path) as (server, _):
        token = server.token(2)
        session, _, secret = token.partition("-")
        forged = [
            f"{session}-{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}",
            f"{'a' * 12}-{secret}",
            session,
            "x",
            "server-" + secret,
            token.upper(),
            token + "a",
            "%2e%2e",
        ]
        for one in forged:
            url = f"ws://127.0.0.1:{server.port}/p/{one}/live"
            try:
                socket = await connect(url, compression=None, proxy=None)
            except InvalidHandshake:
                continue  # no such address at all
            await _discard(socket)
            assert socket.close_code == 4404
        assert (await get_page(server, f"/p/{forged[0]}/")).status_code == 404


async def test_evidence_12_other_peoples_documents_are_out_of_reach(tmp_path: Path) -> None:
    """Who knows the nonce of somebody's document learns and changes nothing with it."""
    async with besieged(tmp_path) as (server, _):
        victim, thief = await open_raw(server, 2), await open_raw(server, 3)
        await victim.hello(document="nonce")
        await victim.say({"type": "call", "n": 1, "method": "private"})
        secret = (await victim.message("reply"))["ok"]
        await thief.hello(
            document="nonce",
            pending=[1],
            next=2,
            adopts=[{"document": "nonce", "pending": [1]}, {"document": "other", "pending": [1]}],
        )
        await thief.say({"type": "call", "n": 1, "method": "private"})
        assert (await thief.message("reply", n=1))["ok"] != secret
        assert secret not in json.dumps(thief.frames)
        await victim.say({"type": "call", "n": 2, "method": "private", "done": 1})
        assert (await victim.message("reply", n=2))["ok"] == secret  # still connected, still in order
        for raw in (victim, thief):
            await raw.socket.close()


# ---------------------------------------------------------------------- many at random

WORDS = ["call", "hello", "handled", "here", "ping", "type", "n", "", "echo", "add", "swallow", "counts", "wave"]
ODD: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, -(2**63), 2**64, 10**40, 1.5, -0.0, 1e308, "", "x" * 300, "\x00", "ä🙂",
    [], {}, [[]], {"": {}}, ["a", 1, None], {"document": "x", "pending": [1]},
]  # fmt: skip


class Fuzzer:
    """Frames at random: whole messages with one thing wrong, pieces of them, and noise."""

    def __init__(self, dice: random.Random, page: Any) -> None:
        self._dice = dice
        self._page = page

    def frame(self) -> str | bytes:
        dice = self._dice
        kind = dice.random()
        if kind < 0.55:
            return json.dumps(self._bent(self._message()))
        if kind < 0.7:
            text = json.dumps(self._message())
            place = dice.randrange(len(text))
            return (
                text[:place]
                + dice.choice(["", "\\ud800", "[", "{", '"', "\x00", "NaN", ",,", "1e9999"])
                + text[place + dice.randrange(3) :]
            )
        if kind < 0.8:
            return json.dumps(self._message()).encode() if dice.random() < 0.5 else dice.randbytes(dice.randrange(200))
        if kind < 0.85:
            depth = dice.choice([10, 99, 101, 1000, 10_000])
            return f'{{"type":"call","n":1,"method":"swallow","args":{"[" * depth}{"]" * depth}}}'
        if kind < 0.86:
            return json.dumps({"type": "call", "n": 1, "method": "swallow", "args": ["x" * dice.randrange(70_000)]})
        return json.dumps(self._value(3))

    def _message(self) -> dict[str, Any]:
        dice, page = self._dice, self._page
        n = dice.choice([0, 1, 2, 3, dice.randrange(100)])
        document = dice.choice(["", "fuzz", f"d{dice.randrange(1000)}"])
        return dice.choice(
            [
                {"type": "hello", "version": 1, "stay": page.stay, "document": document or "fuzz", "base": page.base,
                 "handled": page.base + dice.randrange(50), "pending": list(range(1, n)), "next": n,
                 "kept": [f"{n}.0"], "adopts": [{"document": f"d{n}", "pending": [n]}]},
                {"type": "call", "n": n, "method": dice.choice(["echo", "swallow", "wave", "items", "nothing"]),
                 "args": [dice.choice(ODD)], "done": dice.randrange(n + 1), "document": document},
                {"type": "handled", "seq": dice.randrange(100), "kept": [f"{n}.0"]},
                {"type": "here", "state": dice.choice(["active", "idle", "hidden"])},
                {"type": "ping", "sent": dice.random()},
            ]
        )  # fmt: skip

    def _bent(self, message: dict[str, Any]) -> Any:
        dice = self._dice
        name = dice.choice(list(message))
        bend = dice.random()
        if bend < 0.6:
            message[name] = dice.choice(ODD)
        elif bend < 0.7:
            del message[name]
        elif bend < 0.8:
            message[dice.choice(WORDS)] = self._value(2)
        elif bend < 0.9:
            message["type"] = dice.choice(WORDS)
        return message

    def _value(self, depth: int) -> Any:
        dice = self._dice
        if not depth or dice.random() < 0.4:
            return dice.choice(ODD)
        if dice.random() < 0.5:
            return [self._value(depth - 1) for _ in range(dice.randrange(4))]
        return {dice.choice(WORDS): self._value(depth - 1) for _ in range(dice.randrange(4))}


@pytest.mark.torture
async def test_evidence_17_whatever_is_sent_harms_only_who_sends_it(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", random.randrange(10**9) if TORTURE else 2))
    print(f"SEED={seed}")
    dice = random.Random(seed)
    async with besieged(tmp_path) as (server, _):
        page = (await open_raw(server, 2)).page
        fuzzer = Fuzzer(dice, page)
        sent = 0
        while sent < FRAMES:
            raw = await open_raw(server, dice.choice([2, 3]))
            reading = asyncio.create_task(_discard(raw.socket))
            with contextlib.suppress(ConnectionClosed):
                await raw.say(json.dumps(fuzzer._message() if dice.random() < 0.1 else _hello(page, dice)))
                for _ in range(dice.randrange(400)):
                    await raw.say(fuzzer.frame())
                    sent += 1
            raw.socket.transport.abort()
            await asyncio.gather(reading, return_exceptions=True)


def _hello(page: Any, dice: random.Random) -> dict[str, Any]:
    document = f"d{dice.randrange(1000)}"
    return {
        "type": "hello", "version": 1, "stay": page.stay, "document": document, "base": page.base, "handled": page.base,
    }  # fmt: skip


async def _discard(socket: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for text in socket:
            json.loads(text)  # whatever the server says is JSON
