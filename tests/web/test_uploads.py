"""Files in submissions: streamed to the blob store, bounded, never in memory whole, durable before they are named."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from unittest.mock import MagicMock

import httpx
import pytest

from promptgrimoire.authoring.uploads import Upload
from promptgrimoire.journal.blobs import FolderBlobs, Incoming, MemoryBlobs
from promptgrimoire.settings import Limits, Settings
from tests.examples.stage import ROOT, Server
from tests.web.conftest import Open
from tests.web.fakes import FakeGateway, FakeHost

BOUNDARY = "----grimoire"
KIND = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
SETTINGS = Settings(limits=Limits(form=50_000, upload=1_000_000))
CHUNK = b"x" * 65_536


@pytest.fixture
async def host(gateway: FakeGateway, tmp_path: Path) -> FakeHost:
    host = await gateway.create_session("counter", players=1)
    host.takes = {"cv": 1_000_000}
    host.blobs = FolderBlobs(tmp_path / "blobs")
    return host


@pytest.fixture
def place(host: FakeHost) -> str:
    return f"/p/{host.lines[0].token}/"


@pytest.fixture
def client(browser: Open) -> httpx.AsyncClient:
    return browser(SETTINGS)


def stored(folder: Path) -> list[str]:
    return [path.parent.name + path.name for path in folder.rglob("*") if path.is_file()]


def head(field: str, filename: str = "", stay: str = "7") -> bytes:
    """A form up to the content of a file."""
    parts = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="_stay"\r\n\r\n{stay}\r\n'
    parts += f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{field}"; filename="{filename}"\r\n\r\n'
    return parts.encode()


TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


class Endless:
    """A body that goes on and on; counts what was asked of it."""

    def __init__(self, start: bytes, chunks: int = 32_768) -> None:
        self.start, self.chunks, self.sent = start, chunks, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.start
        for _ in range(self.chunks):
            self.sent += len(CHUNK)
            yield b"%08d" % self.sent + CHUNK[8:]  # another object each time, or memory would not tell
        yield TAIL


async def test_a_file_is_stored_before_the_submission_names_it(
    client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 1000
    answer = await client.post(
        place,
        data={"_stay": "7", "_submission": "a", "age": "ü"},
        files={"cv": ("C:\\Users\\me\\my \u202ecv.pdf", content, "application/pdf")},
    )
    assert answer.status_code == 303
    assert host.uploads == [{"cv": Upload("my _cv.pdf", len(content), "application/pdf", sha256(content).hexdigest())}]
    assert host.submissions[0][3] == {"age": ["ü"]}
    assert host.blobs.read(host.uploads[0]["cv"].digest, len(content)) == content
    assert stored(tmp_path) == [host.uploads[0]["cv"].digest]


async def test_no_file_chosen_is_no_file(client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path) -> None:
    await client.post(place, content=head("cv") + TAIL, headers=KIND)
    assert host.uploads == [{}]
    assert stored(tmp_path) == []


async def test_a_file_larger_than_its_field_takes_is_told_and_not_stored(
    client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path
) -> None:
    host.takes = {"cv": 1000, "other": 1_000_000}
    written: list[Incoming] = []
    blobs, host.blobs = host.blobs, MagicMock(wraps=host.blobs)
    host.blobs.incoming = lambda: written.append(blobs.incoming()) or written[-1]  # type: ignore[func-returns-value]
    content = b"x" * 800_000
    await client.post(place, data={"_stay": "7"}, files={"cv": ("cv.pdf", content)})
    assert host.uploads == [{"cv": Upload("cv.pdf", len(content), "application/pdf", "")}]
    assert stored(tmp_path) == []
    assert sum(one.size for one in written) <= 1000  # the rest is not even written


@pytest.mark.parametrize(("field", "stay"), [("age", "7"), ("cv", "6")])
async def test_a_file_that_the_page_did_not_ask_for_is_stored_nowhere(
    client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path, field: str, stay: str
) -> None:
    await client.post(place, data={"_stay": stay, "a": "1"}, files={field: ("a.txt", b"text")})
    assert host.uploads == [{}]
    assert host.submissions[0][1:] == (int(stay), "", {"a": ["1"]})
    assert stored(tmp_path) == []


async def test_two_gigabytes_announced_are_refused_before_they_come(
    client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path
) -> None:
    body = Endless(head("cv", "a.bin"))
    answer = await client.post(place, content=body, headers={**KIND, "content-length": str(2 * 1024**3)})
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert body.sent == 0
    assert host.submissions == []
    assert stored(tmp_path) == []


@pytest.mark.parametrize(("field", "most"), [("cv", 1_050_000), ("age", 50_000)])
async def test_two_gigabytes_without_a_length_are_cut_off_at_the_limit(
    client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path, field: str, most: int
) -> None:
    body = Endless(head(field, "a.bin"))
    answer = await client.post(place, content=body, headers=KIND)
    assert answer.status_code == 413
    assert body.sent <= most + len(CHUNK)
    assert host.submissions == []
    assert stored(tmp_path) == []


async def test_text_is_bounded_as_before(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    answer = await client.post(place, files={"_stay": (None, "7"), "a": (None, "x" * 50_001)})
    assert answer.status_code == 413
    answer = await client.post(place, data={"_stay": "7", "a": "x" * 50_001})
    assert answer.status_code == 413
    assert host.submissions == []


async def test_a_file_is_never_in_memory_as_a_whole(browser: Open, host: FakeHost, place: str) -> None:
    client = browser(Settings(limits=Limits(upload=40_000_000)))
    host.takes = {"cv": 40_000_000}
    await client.get(place)
    tracemalloc.start()
    await client.post(place, content=Endless(head("cv", "a.bin"), 500), headers=KIND)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert host.uploads[0]["cv"].size == 500 * len(CHUNK)
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "body",
    [
        head("cv", "a.bin") + b"half of a fi",
        head("cv", "a.bin") + b"all of it\r\n",
        b"",
        b"--wrong\r\n\r\n",
        f"--{BOUNDARY}\r\ncontent-type: text/plain\r\n\r\nwithout a name".encode() + TAIL,
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="a"\r\n{"x: y" * 1}\r\n'.encode() * 1 + b"x: y\r\n" * 50,
    ],
    ids=["cut off in a file", "without an end", "empty", "another boundary", "no name", "many headers"],
)
async def test_a_broken_form_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, host: FakeHost, place: str, tmp_path: Path, body: bytes
) -> None:
    answer = await client.post(place, content=body, headers=KIND)
    assert answer.status_code == 400
    assert host.submissions == []
    assert stored(tmp_path) == []


async def test_a_form_without_a_boundary_is_refused(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    answer = await client.post(place, content=head("cv"), headers={"content-type": "multipart/form-data"})
    assert answer.status_code == 400


async def test_what_a_browser_calls_a_file_is_not_trusted(
    client: httpx.AsyncClient, host: FakeHost, place: str
) -> None:
    host.blobs = MemoryBlobs()
    await client.post(place, data={"_stay": "7"}, files={"cv": ("../../etc/passwd\x00", b"1", "text/<script>")})
    upload = host.uploads[0]["cv"]
    assert (upload.filename, upload.content_type) == ("passwd%00", "application/octet-stream")  # so httpx writes it


async def test_the_real_server_hangs_up_on_two_gigabytes(tmp_path: Path) -> None:
    """Announced or not: the answer is there, and the connection closed, long before anything like it was taken."""
    server = Server(ROOT / "tests" / "browser" / "forms", tmp_path / "database.sqlite3", 1)
    place = httpx.URL(server.players[0])
    try:
        for length in (b"content-length: 2147483648", b"transfer-encoding: chunked"):
            reader, writer = await asyncio.open_connection(place.host, place.port)
            kind = KIND["content-type"].encode()
            writer.write(b"POST %s HTTP/1.1\r\nhost: %s\r\ncontent-type: %s\r\n" % (place.raw_path, place.netloc, kind))
            writer.write(length + b"\r\n\r\n")
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 2**31 and not reader.at_eof():
                    writer.write(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK) if b"chunked" in length else CHUNK)
                    await asyncio.wait_for(writer.drain(), 20)
                    await asyncio.sleep(0)
                    sent += len(CHUNK)
            assert sent < 40_000_000  # the form's limit, and what lies in the buffers of two sockets
            with contextlib.suppress(ConnectionError):  # what was sent after the answer may reset the connection
                answer = await asyncio.wait_for(reader.read(), 20)
                assert not answer or answer.startswith(b"HTTP/1.1 413")
            writer.close()
        async with httpx.AsyncClient() as client:
            assert (await client.get(place)).status_code == 200
    finally:
        log = server.stop()
    assert "Traceback" not in log, log


SENDING = '''
from promptgrimoire import *


class Send(Page):
    fields = dict(
        photo=FileField(label="Photo"),
        story=FileField(label="Story", optional=True),
        age=IntegerField(label="Age"),
    )


class Done(Page):
    """# Done

    {{ player.photo.filename }} {{ player.photo.digest }} {{ player.story }}"""


page_order = [Send, Done]
'''


async def test_a_mistake_in_another_field_does_not_lose_the_files(tmp_path: Path) -> None:
    (tmp_path / "sending.py").write_text(SENDING)
    server = Server(tmp_path / "sending.py", tmp_path / "database.sqlite3", 2)
    place, other = server.players
    try:
        async with httpx.AsyncClient(timeout=30) as client:

            def stay(page: httpx.Response) -> str:
                return page.text.partition('name="_stay" value="')[2].partition('"')[0]

            files = {"photo": ("window.png", b"view", "image/png"), "story": ("story.txt", b"Once", "text/plain")}
            form = {"_stay": stay(await client.get(place)), "_submission": "a", "age": "old"}
            answer = await client.post(place, data=form, files=files)
            assert answer.status_code == 422
            assert "Already sent: <bdi>window.png</bdi>" in answer.text
            digest = sha256(b"view").hexdigest()
            forged = {"_stay": stay(await client.get(other)), "_submission": "b", "age": "3", "_sent_photo": digest}
            answer = await client.post(other, data=forged)
            assert answer.status_code == 422
            assert "Please choose a file." in answer.text
            server.kill_and_restart()
            page = await client.get(place)
            assert f'name="_sent_photo" value="{digest}"' in page.text
            # The story is given up: its box is not ticked. A browser sends an empty part for each field without a file.
            form = {"_stay": stay(page), "_submission": "c", "age": "30", "_sent_photo": digest}
            answer = await client.post(place, data=form, files={"photo": ("", b""), "story": ("", b"")})
            assert answer.status_code == 303
            assert f"window.png {digest} None" in (await client.get(place)).text
    finally:
        log = server.stop()
    assert "Traceback" not in log, log
