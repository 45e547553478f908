"""A submission with files, read as it comes in: texts are gathered, files go to the blob store piece by piece.

Owns the limits: nothing is in memory as a whole, what is too large is refused as soon as that is clear, and what the
page did not ask for is stored nowhere. Whether a file is an answer, the page's form decides.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import Request

from promptgrimoire.authoring.uploads import Upload
from promptgrimoire.journal.blobs import Incoming
from promptgrimoire.web.seam import Host
from promptgrimoire.web.security import Body

ANY = "*"  # among the limits: any field may have a file
_PIECE = 256_000  # bytes that are written at a time
_FIELDS = 10_000
_HEADERS = 20  # of one part
_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff/\\\\]")


class Submission(NamedTuple):
    """Posted texts in their order, and the files by field: those that the page takes, of two with one name the last."""

    fields: list[tuple[str, str]]
    uploads: dict[str, Upload]


async def read_submission(request: Request, host: Host, token: str, stay_field: str) -> Submission:
    """Read what a player's page has posted. Raises HTTPException 413 or 400, NotFound, JournalUnavailable.

    A file that is larger than its field takes is read to the end (as far as the limits of the page's files go together)
    and not stored: it is an Upload without a digest, and the form says what is wrong with it.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        return Submission(_texts(await request.body()) if kind == b"application/x-www-form-urlencoded" else [], {})
    body: Body = request.scope["grimoire.body"]
    most = body.limit
    body.limit = most + sum(host.upload_limits(token, None).values())
    boundary = options.get(b"boundary")
    if not boundary or len(boundary) > 200:
        raise HTTPException(400)
    reading = _Reading(boundary, host, token, most, stay_field)
    try:
        async for chunk in request.stream():
            reading.feed(chunk)
            if reading.waiting >= _PIECE:
                await asyncio.to_thread(reading.write)
        return await asyncio.to_thread(reading.finish)
    except FormParserError:
        raise HTTPException(400) from None
    finally:
        await asyncio.shield(asyncio.to_thread(reading.drop))


class _File:
    """One file on its way. What is to be written waits in `pieces`, for a thread."""

    def __init__(self, name: str, filename: str, content_type: str, limit: int) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.limit = limit  # 0: the page takes no file here
        self.size = 0
        self.pieces: list[bytes] = []
        self.incoming: Incoming | None = None

    def upload(self, digest: str) -> Upload:
        return Upload(self.filename, self.size, self.content_type, digest)


class _Reading:
    """One submission under way: `feed` on the event loop, `write`, `finish` and `drop` in a thread, never at once."""

    def __init__(self, boundary: bytes, host: Host, token: str, form_limit: int, stay_field: str) -> None:
        self.waiting = 0  # bytes that are to be written
        self._host = host
        self._token = token
        self._form_left = form_limit
        self._stay_field = stay_field
        self._stay: int | None = None
        self._fields: list[tuple[str, str]] = []
        self._all: list[_File] = []
        self._file: _File | None = None
        self._ended = False
        self._text = bytearray()
        self._name = ""
        self._headers: dict[bytes, bytes] = {}
        self._header = (bytearray(), bytearray())
        callbacks: dict[str, Callable[..., Any]] = {
            "on_part_begin": self._part_begins,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._part_is_known,
            "on_part_data": self._part_data,
            "on_part_end": self._part_ends,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def feed(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def write(self) -> None:
        """Write what waits."""
        for file in self._all:
            if not file.pieces:
                continue
            if file.incoming is None:
                file.incoming = self._host.incoming()
            for piece in file.pieces:
                file.incoming.write(piece)
            file.pieces.clear()
        self.waiting = 0

    def finish(self) -> Submission:
        """Everything has come: the files are durable when this returns."""
        if not self._ended:
            raise HTTPException(400)  # cut off
        self.write()
        uploads: dict[str, Upload] = {}
        for file in self._all:
            whole = file.size <= file.limit
            if whole and file.incoming is None:
                file.incoming = self._host.incoming()
            uploads[file.name] = file.upload(file.incoming.keep() if whole and file.incoming is not None else "")
        return Submission(self._fields, uploads)

    def drop(self) -> None:
        """Leave nothing of what was not kept."""
        for file in self._all:
            if file.incoming is not None:
                file.incoming.drop()

    # ---------------------------------------------------------------- the parser's findings

    def _end(self) -> None:
        self._ended = True

    def _part_begins(self) -> None:
        self._headers, self._file, self._name = {}, None, ""
        self._text.clear()

    def _header_ends(self) -> None:
        name, value = self._header
        if len(self._headers) >= _HEADERS:
            raise HTTPException(400)
        self._headers[bytes(name).lower()] = bytes(value)
        self._form_left -= len(name) + len(value)
        name.clear()
        value.clear()

    def _part_is_known(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options or len(self._fields) + len(self._all) >= _FIELDS:
            raise HTTPException(400)
        self._name = _decoded(options[b"name"])
        if b"filename" not in options:
            return
        limits = self._host.upload_limits(self._token, self._stay)
        self._file = _File(
            self._name,
            _HOSTILE.sub("_", _decoded(options[b"filename"]).replace("\\", "/").rpartition("/")[2])[-255:],
            _type_of(self._headers.get(b"content-type", b"")),
            limits.get(self._name, limits.get(ANY, 0)),
        )
        if self._file.limit and self._file.filename:  # without a name: no file was chosen
            self._all.append(self._file)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        file = self._file
        if file is None or not file.limit:
            self._form_left -= end - start  # a file that nobody asked for counts as text, and is not kept
            if self._form_left < 0:
                raise HTTPException(413)
            if file is None:
                self._text += data[start:end]
            return
        file.size += end - start
        if file.size <= file.limit and file.filename:
            file.pieces.append(data[start:end])
            self.waiting += end - start

    def _part_ends(self) -> None:
        if self._file is not None:
            return
        text = _decoded(bytes(self._text))
        self._fields.append((self._name, text))
        if self._name == self._stay_field and text.isascii() and text.isdigit() and len(text) <= 15:
            self._stay = int(text)


def _texts(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form without files. What is no UTF-8 becomes U+FFFD, which no field accepts."""
    try:
        return parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:  # more fields than that
        raise HTTPException(400) from None


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _type_of(header: bytes) -> str:
    kind, _ = parse_options_header(header)
    found = kind.decode("latin-1")
    return found if _TYPE.fullmatch(found) else "application/octet-stream"
