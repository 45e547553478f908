"""A whole server in one process: a gateway on a real journal, a clock that is moved by hand, scripted browsers.

Owns no mechanism of the engine. A `Browser` does what the protocol asks of a client: remembers what it has handled
before it dispatches, acknowledges, keeps calls until they are settled, sends them again, adopts those of the document
before it in its tab.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from contextvars import Context
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec

from promptgrimoire.authoring.pages import PageRequest, PageSpec
from promptgrimoire.authoring.uploads import Upload
from promptgrimoire.commands import Administered
from promptgrimoire.errors import JournalUnavailable
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.realtime.protocol import Adopted, Call, Handled, Hello
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.flow import BACK
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.runtime.host import Host
from promptgrimoire.runtime.rendering import Rendering
from promptgrimoire.runtime.versions import Experiments
from promptgrimoire.settings import Settings
from promptgrimoire.state.records import Player
from promptgrimoire.web.socket import Talk

HEAD = "from promptgrimoire import *\nimport asyncio\n\ngates = None\nran = []\n\n"


class ManualClock:
    """Time that moves only when told to (a `promptgrimoire.runtime.clock.Clock`)."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self._now = now
        self._due: list[tuple[float, int, _Alarm]] = []
        self._count = itertools.count()

    def now(self) -> float:
        return self._now

    def at(self, when: float, function: Callable[[], object]) -> _Alarm:
        alarm = _Alarm(function)
        if when <= self._now:
            asyncio.get_running_loop().call_soon(alarm.ring, context=Context())
        else:
            heapq.heappush(self._due, (when, next(self._count), alarm))
        return alarm

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each alarm in between; everything that it starts has settled when this returns."""
        goal = self._now + seconds
        await settle()
        while self._due and self._due[0][0] <= goal:
            when, _, alarm = heapq.heappop(self._due)
            self._now = max(self._now, when)
            alarm.ring()
            await settle()
        self._now = goal
        await settle()

    def jump(self, seconds: float) -> None:
        """Time that passes while no server runs: nobody is called."""
        self._due.clear()
        self._now += seconds


class _Alarm:
    def __init__(self, function: Callable[[], object]) -> None:
        self._function: Callable[[], object] | None = function

    def cancel(self) -> None:
        self._function = None

    def ring(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            Context().run(function)


async def settle(turns: int = 30) -> None:
    """Let everything run that does not wait for something outside."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Gates:
    """What author code waits for: `await gates.wait("x")` goes on when a test says `gates.open("x")`."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}
        self.waiting: list[str] = []

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())

    async def wait(self, name: str) -> None:
        self.waiting.append(name)
        try:
            await self._event(name).wait()
        finally:
            self.waiting.remove(name)

    def open(self, name: str) -> None:
        self._event(name).set()

    def shut(self, name: str) -> None:
        self._event(name).clear()


class _Assets:
    style, main, early = "", "", ""
    modules: tuple[str, ...] = ()


class Server:
    """One server process after the other, on one journal."""

    def __init__(
        self,
        folder: Path,
        source: str,
        journal: Journal | None = None,
        settings: Settings | None = None,
        name: str = "lab",
        apps: Mapping[str, str] | None = None,
    ) -> None:
        """`apps`: sources of further apps, which a session runs after the first, in their order."""
        self.file = folder / f"{name}.py"
        self.file.write_text(HEAD + dedent(source))
        self.name = self.config = name
        self.apps = [name, *(apps or {})]
        self._target = self.file
        if apps:
            self.config, self._target = "study", folder
            for app, text in apps.items():
                (folder / f"{app}.py").write_text(HEAD + dedent(text))
            (folder / "grimoire.toml").write_text(f"[configs.study]\napps = {json.dumps(self.apps)}\n")
        self.journal: Any = journal if journal is not None else MemoryJournal()
        self.settings = settings or Settings()
        self.clock = ManualClock()
        self.gates = Gates()
        self.session = ""
        self.configs: dict[str, dict[str, Any]] = {}
        self.browsers: list[Browser] = []
        self.gateway: Gateway
        self.experiments: Experiments

    async def start(self) -> None:
        if not hasattr(self, "experiments"):  # loading takes longer than all else that a test does
            self.experiments = Experiments(self._target)
            self.experiments.load_all()
        for app in self.apps:
            vars(self.experiments.get(app).module)["gates"] = self.gates
        self.gateway = Gateway(self.experiments, self.journal, self.clock, self.settings, self._frame)
        await self.gateway.open()

    @property
    def module(self) -> Any:
        return self.experiments.get(self.name).module

    def _frame(self, spec: PageSpec, config: dict[str, Any]) -> dict[str, Any]:
        self.configs[config["player"]] = config
        return {"assets": _Assets, "page_config": config, "appstatic": str, "projectstatic": str}

    async def create(self, players: int = 0) -> Host:
        host = await self.gateway.create_session(self.config, players)
        self.session = host.id
        await settle()
        return host

    async def host(self) -> Host:
        return await self.gateway.host(self.session)

    async def player(self, id: int = 1) -> Player:
        return (await self.host()).state.player(id)

    async def page(self, id: int = 1) -> Rendering:
        host = await self.host()
        rendering = asyncio.ensure_future(host.flow.renderings.page(host.state.player(id), self._frame))
        for _ in range(50):
            await settle(2)
            if rendering.done():
                break
        else:
            await self.clock.advance(1.1)  # it waits a moment for a hook that waits for something
        return await rendering

    async def submit(
        self,
        id: int = 1,
        stay: int | None = None,
        data: Mapping[str, str | list[str]] | None = None,
        *,
        submission: str | None = None,
        uploads: Mapping[str, Upload] | None = None,
        request: PageRequest | None = None,
    ) -> Rendering | None:
        """Post the player's form, as a submission of its own unless `submission` names one."""
        host = await self.host()
        player = host.state.player(id)
        posted = {name: [said] if isinstance(said, str) else said for name, said in (data or {}).items()}
        stay = stay if stay is not None else player._about["stay"]
        return await host.flow.submit(player, stay, submission or f"n{next(_nonces)}", posted, uploads, request)

    async def back(self, id: int = 1, data: Mapping[str, str | list[str]] | None = None) -> Rendering | None:
        """Press Back."""
        return await self.submit(id, None, {**(data or {}), BACK: "1"})

    async def act(self, function: Callable[[], object], id: int = 1) -> None:
        """One transaction by somebody else (a researcher), and what it leads to. Raises what the function raised."""
        host = await self.host()
        run = Awaited(host, Administered("test", "test"), host.activity(host.state.player(id), "test"))
        host.step(function, run)
        if run.error is not None:
            raise run.error
        await settle()

    async def move(self, target: object, id: int = 1) -> None:
        """`move_to_page` by somebody else."""
        host = await self.host()
        await self.act(lambda: host.flow.ask_to_move(host.state.player(id), target), id)

    async def stop(self) -> None:
        """Stop as one asks a server to."""
        for browser in self.browsers:
            browser.lose(told=False)
        await self.gateway.close()
        await settle()

    async def crash(self) -> None:
        """Like kill -9: what is not durable is gone, nobody is told, author code just stops.

        Of a file, the next server gets a copy as it is now; what the dead one still writes does not count.
        """
        for browser in self.browsers:
            browser.lose(told=False)
        gateway = self.gateway
        gone = JournalUnavailable("this process is dead")
        for host in gateway._hosts.values():
            host.failure = gone
            host._untold.clear()
            host.timers.stop()
            host.attendance.stop()
        gateway._closing = True
        if gateway._housekeeper is not None:
            gateway._housekeeper.cancel()
        if isinstance(self.journal, MemoryJournal):
            self.journal.crash()
        else:
            dead, self.journal = self.journal, copied(self.journal)
            await dead.close()
        gateway._around.watchdog.stop()
        for task in list(gateway.segments.going):
            task.cancel()
        await settle()
        gateway.segments.uninstall()
        await settle()

    async def restart(self, kill: bool = False) -> Host:
        """Crash (or, on a file and without `kill`, stop), then start again; the session is loaded."""
        if kill or isinstance(self.journal, MemoryJournal):
            await self.crash()
        else:
            await self.stop()
        await self.start()
        host = await self.host()
        await settle()
        return host

    def browser(self, player: int = 1, tab: Tab | None = None) -> Browser:
        browser = Browser(self, player, tab or Tab())
        self.browsers.append(browser)
        return browser

    async def opened(self, player: int = 1, tab: Tab | None = None) -> Browser:
        """A browser that has loaded its page and is connected."""
        browser = self.browser(player, tab)
        await browser.load()
        await browser.connect()
        return browser


def copied(journal: SqliteJournal) -> SqliteJournal:
    """A journal of a copy of the file, with what is committed in it now."""
    place = journal.path.with_name(f"{journal.path.name}.{next(_nonces)}")
    with closing(sqlite3.connect(journal.path)) as old, closing(sqlite3.connect(place)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode=WAL")
    blobs = journal.path.with_name(journal.path.name + ".blobs")
    if blobs.exists():
        shutil.copytree(blobs, place.with_name(place.name + ".blobs"))
    return SqliteJournal(place)


class Tab:
    """What session storage keeps: handled kept events, and the unsettled calls of each document."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.calls: dict[str, tuple[int, dict[int, tuple[str, list[Any]]]]] = {}  # document -> (stay, calls)

    def duplicate(self) -> Tab:
        """What "Duplicate tab" makes of it: a copy, which from now on knows nothing of the original."""
        copy = Tab()
        copy.kept = list(self.kept)
        copy.calls = {document: (stay, dict(calls)) for document, (stay, calls) in self.calls.items()}
        return copy


_nonces = itertools.count(1)


class Sink:
    """One connection as the server sees it."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.open = True
        self.closed_with: tuple[int, str] | None = None

    def send_latest(self, key: object, text: str) -> None:
        self.send(text)

    def send(self, text: str) -> None:
        if self.open:
            self.browser.arrived(text)

    def close(self, code: int, reason: str) -> None:
        if self.open:
            self.open = False
            self.closed_with = (code, reason)


class Browser:
    """One document in one tab. `events` are those that were dispatched, `settled` the outcomes of calls."""

    def __init__(self, server: Server, player: int, tab: Tab) -> None:
        self.server = server
        self.player = player
        self.tab = tab
        self.document = f"doc{next(_nonces)}"
        self.stay = self.base = self.handled = 0
        self.next = 1
        self.connections = 0
        self.pending: dict[int, tuple[str, list[Any]]] = {}
        self.settled: dict[int, Any] = {}
        self.adopted_settled: dict[tuple[str, int], Any] = {}
        self.answers: list[int] = []  # numbers of this document's calls, in the order of their first answers
        self.events: list[Any] = []
        self.messages: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.owed: list[str] = []  # handled kept events that were not acknowledged
        self.sink: Sink | None = None
        self.talk: Talk | None = None
        self.reloads = 0
        self.resyncs = 0
        self.byes: list[str] = []

    # ------------------------------------------------------------ the page and its connection

    async def load(self) -> Rendering:
        rendering = await self.server.page(self.player)
        config = self.server.configs.get(f"{self.server.session}.{self.player}")
        if rendering.kind == "page" and config is not None:
            self.stay, self.base = config["stay"], config["base"]
            self.handled = self.base
        self.tab.calls = {doc: kept for doc, kept in self.tab.calls.items() if kept[0] == self.stay and kept[1]}
        return rendering

    def adopts(self) -> list[Adopted]:
        others = [(doc, calls) for doc, (_, calls) in self.tab.calls.items() if doc != self.document and calls]
        return [Adopted(doc, list(calls)) for doc, calls in others]

    def hello(self) -> Hello:
        self.connections += 1
        kept, pending = list(self.tab.kept), list(self.pending)
        place = (1, self.stay, self.document, self.base, self.handled, "")
        return Hello(*place, pending, self.next, kept, self.adopts(), self.connections)

    async def connect(self, resend: bool = True) -> bool:
        host = await self.server.host()
        self.sink = sink = Sink(self)
        self.talk = talk = Talk(host, self.player, sink)  # type: ignore[arg-type]
        resyncs = self.resyncs
        if not await talk.hello(self.hello()):
            return False
        if resend and self.resyncs > resyncs and sink.open:
            talk.handled(Handled(self.handled))
        if resend and self.sink is sink and sink.open:
            self.resend()
        return True

    @property
    def up(self) -> bool:
        return self.sink is not None and self.sink.open and self.talk is not None and self.talk._document is not None

    def resend(self) -> None:
        for adopted in self.adopts():
            for n, (method, arguments) in list(self.tab.calls[adopted.document][1].items()):
                self._post(n, method, arguments, 0, adopted.document)
        for n, (method, arguments) in list(self.pending.items()):
            self._post(n, method, arguments)

    def lose(self, code: int = 1006, told: bool = True) -> None:
        """The connection is gone; the server hears of it (now) unless `told` is false."""
        sink, talk = self.sink, self.talk
        self.sink = self.talk = None
        if sink is not None:
            sink.open = False
        if talk is not None and told:
            talk.closed(code)

    def ghost(self) -> Callable[[], None]:
        """The connection is gone, but the server hears of it only when the result is called."""
        talk = self.talk
        self.lose(told=False)
        assert talk is not None
        return lambda: talk.closed(1006)

    async def reload(self) -> Browser:
        """A new document in the same tab."""
        self.lose()
        return await self.server.opened(self.player, self.tab)

    # ------------------------------------------------------------ calls

    def invoke(self, method: str, *arguments: Any) -> int:
        n = self.next
        self.next += 1
        self.pending[n] = (method, list(arguments))
        self.tab.calls[self.document] = (self.stay, self.pending)
        if self.up:
            self._post(n, method, list(arguments))
        return n

    def _post(self, n: int, method: str, arguments: list[Any], done: int | None = None, document: str = "") -> None:
        if not self.up:
            return
        if done is None:
            done = min(self.pending, default=self.next) - 1
        assert self.talk is not None
        raw = msgspec.Raw(json.dumps(arguments).encode())
        self.talk.call(Call(n, method, raw, done, self.handled, document))

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call, and give the outcome: what was returned, or the error as a dict."""
        n = self.invoke(method, *arguments)
        host = await self.server.host()
        for _ in range(50):
            if n in self.settled:
                break
            await settle(5)
            await host.durable()
        return self.settled.get(n, "unsettled")

    # ------------------------------------------------------------ what arrives

    def arrived(self, text: str) -> None:
        self.texts.append(text)
        frame = json.loads(text)
        seq = frame["seq"]
        again = 0 < seq <= self.handled
        self.handled = max(self.handled, seq)
        for message in frame["messages"]:
            self.messages.append(message)
            self._take(message, again)

    def _take(self, message: dict[str, Any], again: bool) -> None:
        kind = message["type"]
        if kind == "event":
            keep = message.get("keep", "")
            if keep:
                self.owed.append(keep)
                if keep in self.tab.kept:
                    return
                self.tab.kept.append(keep)
            elif again:
                return
            self.events.append(message["data"])
        elif kind in ("reply", "error") and message["n"]:
            self._settle(message)
        elif kind == "go" and message["to"] == "reload":
            self.reloads += 1
        elif kind == "welcome" and message["resync"]:
            self.handled = max(self.handled, message["seq"])
            self.resyncs += 1
        elif kind == "bye":
            self.byes.append(message["reason"])

    def _settle(self, message: dict[str, Any]) -> None:
        n, document = message["n"], message.get("document") or self.document
        outcome = message["ok"] if message["type"] == "reply" else message
        if document != self.document:
            if self.tab.calls.get(document, (0, {}))[1].pop(n, None) is not None:
                self.adopted_settled[document, n] = outcome
            return
        if self.pending.pop(n, None) is not None:
            self.settled[n] = outcome
            self.answers.append(n)

    def acknowledge(self) -> None:
        if self.up:
            assert self.talk is not None
            kept, self.owed = self.owed, []
            self.talk.handled(Handled(self.handled, kept))


def code_of(outcome: Any) -> str:
    """The code of an error that settled a call, "" where it was not an error."""
    return outcome.get("code", "") if isinstance(outcome, dict) else ""
