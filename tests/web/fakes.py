"""A gateway in memory with the runtime's form, for tests of the web alone. Everything it is asked is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from promptgrimoire.authoring.language import Language, Languages
from promptgrimoire.authoring.pages import PageRequest
from promptgrimoire.authoring.uploads import Upload
from promptgrimoire.errors import NotFound
from promptgrimoire.ids import SessionId, new_secret, new_session_id, new_token, session_of
from promptgrimoire.journal.base import Stream
from promptgrimoire.journal.blobs import Blobs, Incoming, MemoryBlobs


@dataclass
class FakeExperiment:
    name: str
    title: str = ""
    description: str = ""
    static_folder: Path | None = None
    multiple: int = 1


@dataclass
class FakeExperiments:
    known: dict[str, FakeExperiment]
    errors: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        return list(self.known)

    def study(self, name: str) -> FakeExperiment:
        return self.get(name)

    def get(self, app: str) -> FakeExperiment:
        if app not in self.known:
            raise NotFound(app)
        return self.known[app]


@dataclass
class FakePlayer:
    name: str
    id: int
    token: str
    page: str = "Counter"
    online: bool = False


@dataclass
class FakeRendering:
    html: str
    status: int = 200
    kind: Literal["page", "end", "held", "moment"] = "page"
    reference: str = ""


PAGE = """<!doctype html><html lang="en"><title>Page of {name}</title><main><h1>Page of {name}</h1>
<form method="post"><input type="hidden" name="_stay" value="7"><input type="hidden" name="_submission" value="abc">
<input name="answer" aria-label="Answer"><button>Next</button></form></main>"""


@dataclass
class FakeHost:
    id: SessionId
    config: str
    lines: list[FakePlayer] = field(default_factory=list)
    visitors: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    params: list[dict[str, str]] = field(default_factory=list)
    submissions: list[tuple[str, int, str, dict[str, list[str]]]] = field(default_factory=list)
    uploads: list[dict[str, Upload]] = field(default_factory=list)
    takes: dict[str, int] = field(default_factory=dict)  # fields for files, and how large these may be
    blobs: Blobs = field(default_factory=MemoryBlobs)
    retried: list[str] = field(default_factory=list)
    patience: list[float] = field(default_factory=list)  # with which pages were asked for
    requests: list[PageRequest | None] = field(default_factory=list)  # with which submissions came
    answer: FakeRendering | None = None  # to a submission, instead of the way on
    shown: FakeRendering | None = None  # instead of the page
    failure: Exception | None = None

    speaks: str = "en"

    def language(self, token: str = "") -> Language:
        return Languages().get(self.speaks)

    async def join(
        self,
        *,
        visitor: str = "",
        label: str = "",
        params: Mapping[str, str] | None = None,
        request: PageRequest | None = None,
    ) -> str:
        known = self.labels.get(label) or self.visitors.get(visitor)
        if known:
            return known
        token = new_token(self.id)
        self.lines.append(FakePlayer(f"player{len(self.lines) + 1}", len(self.lines) + 1, token))
        self.params.append(dict(params or {}))
        for table, key in ((self.visitors, visitor), (self.labels, label)):
            if key:
                table[key] = token
        return token

    async def visitor_token(self, visitor: str) -> str | None:
        return self.visitors.get(visitor)

    async def durable(self) -> None:
        """Nothing is ever stored."""

    def players(self) -> list[FakePlayer]:
        return self.lines

    def _check(self, token: str) -> FakePlayer:
        if self.failure:
            raise self.failure
        for line in self.lines:
            if line.token == token:
                return line
        raise NotFound("no such player")

    async def page(self, token: str, patience: float = 1.0) -> FakeRendering:
        self.patience.append(patience)
        if self.shown:
            return self.shown
        return FakeRendering(PAGE.format(name=self._check(token).name) + "<!-- " + "long " * 300 + "-->")

    def upload_limits(self, token: str, stay: int | None) -> dict[str, int]:
        self._check(token)
        return self.takes if stay in (None, 7) else {}

    def incoming(self) -> Incoming:
        return self.blobs.incoming()

    async def submit(
        self,
        token: str,
        stay: int,
        submission: str,
        data: Mapping[str, list[str]],
        uploads: Mapping[str, Upload] | None = None,
        request: PageRequest | None = None,
    ) -> FakeRendering | None:
        self._check(token)
        self.uploads.append(dict(uploads or {}))
        self.submissions.append((token, stay, submission, dict(data)))
        self.requests.append(request)
        return self.answer

    async def retry(self, token: str, request: PageRequest | None = None) -> None:
        self.retried.append(token)


class FakeGateway:
    def __init__(self, experiments: FakeExperiments | None = None, development: bool = True) -> None:
        self.experiments = experiments or FakeExperiments({"counter": FakeExperiment("counter", "Count together")})
        self.development = development
        self.hosts: dict[str, FakeHost] = {}
        self.secret = new_secret()
        self.landings: dict[str, str] = {}  # by config
        self.opened = 0

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.opened -= 1

    async def create_session(self, config: str, players: int = 0) -> FakeHost:
        host = FakeHost(new_session_id(), config)
        self.hosts[host.id] = host
        for _ in range(players):
            await host.join()
        return host

    async def host(self, session_id: str) -> FakeHost:
        if session_id not in self.hosts:
            raise NotFound("no such session")
        return self.hosts[session_id]

    async def host_of(self, token: str) -> FakeHost:
        return await self.host(session_of(token) or "")

    async def unused(self, config: str) -> FakeHost | None:
        found = [stream.id for stream in await self.sessions() if stream.app == config and not stream.joined]
        return await self.host(found[-1]) if found else None

    async def landing(self, session_id: str) -> str:
        return self.landings.get(self.hosts[session_id].config, "")

    async def sessions(self) -> list[Stream]:
        return [
            Stream(host.id, host.config, 1_700_000_000.0 + index, 1, bool(host.lines))
            for index, host in enumerate(self.hosts.values())
        ]

    def admin_token(self, session_id: str) -> str:
        return f"{session_id}-{self.secret}"
