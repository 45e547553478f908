"""Uploaded files: what is stored of one, how its content is read, and the field to choose one with.

The content lies beside the journal, by its SHA-256, and is durable before anything names it. Never takes a file from
the network (web/uploads.py does).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from promptgrimoire.authoring import form_texts as texts
from promptgrimoire.authoring.field_base import GrimoireField
from promptgrimoire.context import current
from promptgrimoire.errors import NoTransaction

SENT = "_sent_"  # before a field's name: the digest of a file that was sent before and is still meant
_UNITS = ("bytes", "kB", "MB", "GB")


class Upload(msgspec.Struct, frozen=True):
    """A file that a participant has sent. `filename` and `content_type` are what their browser said: not to be trusted.

    `size` is in bytes, `digest` the SHA-256 of the content, in hexadecimal.
    """

    filename: str
    size: int
    content_type: str
    digest: str

    async def read(self) -> bytes:
        """The content. Raises JournalDamaged where it is not there any more, or another one."""
        activity = current.get()
        if activity is None:
            raise NoTransaction("upload.read() works only in hooks, live methods, timers and tasks of a session")
        return await activity.services.read_upload(self.digest, self.size)


class FileField(GrimoireField):
    """A file; stored as Upload, None where none was chosen.

    `accept`: content types and endings, as in ("image/*", ".pdf"). `max_size`: in bytes, within limits.upload.

    Browsers cannot fill in a file again: a form that is shown again offers the one `sent` before, by its digest.
    """

    missing_text = texts.FILE_MISSING
    sent: Upload | None = None  # before this submission

    def __init__(self, *, accept: str | Iterable[str] = (), max_size: int | None = None, **rest: Any) -> None:
        kinds = accept.split(",") if isinstance(accept, str) else list(accept)
        self.accept = tuple(str(kind).strip().lower() for kind in kinds if str(kind).strip())
        for kind in self.accept:
            known = kind.startswith(".") or kind.count("/") == 1
            self.expect(known, "accept", 'content types and endings, as in ("image/*", ".pdf")', kind)
        fits = max_size is None or (type(max_size) is int and max_size > 0)
        self.expect(fits, "max_size", "a number of bytes, as in 5_000_000", max_size)
        self.expect(rest.get("default") is None, "default", "nothing: a file cannot be chosen in advance", rest)
        self.max_size = max_size
        super().__init__(**rest)

    @property
    def kept(self) -> Upload | None:
        """What need not be sent again: the file that is meant now; where it is refused, the one before."""
        if not self.errors:
            file: Upload | None = self.data
            return file
        return self.sent if self.sent != self.data else None

    def process_data(self, value: Any) -> None:
        self.data = value if isinstance(value, Upload) else None
        self.sent = self.data or self.sent  # processing a submission begins with no value

    def process_formdata(self, valuelist: list[Any]) -> None:
        found = next((value for value in valuelist if isinstance(value, Upload)), None)
        self.data, self.given = None, found is not None
        if found is None:
            return
        if self.max_size is not None and found.size > self.max_size:
            raise ValueError(self.too_large)
        if not self.accepts(found.filename, found.content_type):
            raise ValueError(self.say(texts.FILE_TYPE, types=", ".join(self.accept)))
        if not found.size:
            raise ValueError(self.say(texts.FILE_EMPTY))
        if not found.digest:  # larger than the server's limit, so not kept
            raise ValueError(self.say(texts.FILE_TOO_LARGE_HERE))
        self.data = found

    @property
    def too_large(self) -> str:
        """What is said of a file beyond max_size."""
        return self.say(texts.FILE_TOO_LARGE, most=readable_size(self.max_size or 0))

    def accepts(self, filename: str, content_type: str) -> bool:
        """Whether a file of that name and type may be sent."""
        name, kind = filename.lower(), content_type.lower().partition(";")[0].strip()
        return not self.accept or any(_matches(one, name, kind) for one in self.accept)

    def _value(self) -> str:
        return ""


def is_for_files(unbound: Any) -> bool:
    """Whether one entry of `fields` is a FileField, of ours or of WTForms."""
    return any(kind.__name__ == "FileField" for kind in getattr(unbound, "field_class", object).__mro__)


def readable_size(size: int) -> str:
    """A number of bytes for people: 5 MB."""
    unit = 0
    number: float = size
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {_UNITS[unit]}"


def _matches(accepted: str, name: str, kind: str) -> bool:
    if accepted.startswith("."):
        return name.endswith(accepted)
    return kind.startswith(accepted[:-1]) if accepted.endswith("/*") else kind == accepted
