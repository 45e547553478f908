"""Tables of comma-separated values beside the study, and bytes as an address that a template can show.

The session's own data never need this: everything written to a player is kept anyway.
"""

from __future__ import annotations

import base64
import csv
import logging
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from promptgrimoire.context import current
from promptgrimoire.errors import AuthorError

log = logging.getLogger("promptgrimoire.files")

# How files of a kind begin: what it is, the bytes, and after how many others.
_KINDS: tuple[tuple[str, bytes, int], ...] = (
    ("image/jpeg", b"\xff\xd8\xff", 0),
    ("image/png", b"\x89PNG\r\n\x1a\n", 0),
    ("image/gif", b"GIF8", 0),
    ("image/webp", b"WEBP", 8),
    ("image/svg+xml", b"<svg", 0),
    ("application/pdf", b"%PDF", 0),
    ("application/zip", b"PK\x03\x04", 0),
    ("audio/wav", b"WAVE", 8),
    ("audio/ogg", b"OggS", 0),
    ("audio/mpeg", b"ID3", 0),
    ("video/webm", b"\x1a\x45\xdf\xa3", 0),
    ("video/mp4", b"ftyp", 4),
)


def data_uri(data: bytes, content_type: str = "") -> str:
    """Bytes as an address: `<img src="{{ picture }}">`. Without `content_type` it is told by how they begin."""
    if not isinstance(data, bytes):
        raise AuthorError(f"data_uri(data): expected bytes, found {type(data).__name__}")
    known = (kind for kind, start, offset in _KINDS if data[offset : offset + len(start)] == start)
    kind = content_type or next(known, "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """The rows of a table, as dicts of texts by column. The path counts from the project's folder.

    Raises AuthorError where a row has more values than there are columns, OSError where there is no such file.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, 2):
        if None in row:
            raise AuthorError(f"{path}: row {number} has more values than the table has columns")
    return [{name: value or "" for name, value in row.items()} for row in rows]


def append_to_csv(path: str | Path, row: Mapping[str, Any]) -> None:
    """Add a row to a table, which is made where it does not exist; new columns come last.

    Within a session it happens when everything that the code wrote has been committed, and not where it fails; a crash
    right then may lose the row, never anything of the session itself.
    """
    if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
        raise AuthorError(f"append_to_csv(path, row): expected a dict, found {row!r}")
    target = Path(path).absolute()
    if not target.parent.is_dir():
        raise AuthorError(f"append_to_csv: there is no folder {target.parent}; make it before")
    texts = {name: "" if value is None else str(value) for name, value in row.items()}
    activity = current.get()
    if activity is None or activity.record is None:
        _append(target, texts)
    else:
        activity.record._state.writing().begin(partial(_append_or_tell, target, texts))


def _append_or_tell(path: Path, row: dict[str, str]) -> None:
    """What is committed stays so, whatever becomes of the table."""
    try:
        _append(path, row)
    except (OSError, AuthorError) as problem:
        log.error("append_to_csv could not write %s: %s; the row is %s", path, problem, row)


def _append(path: Path, row: dict[str, str]) -> None:
    columns: list[str] = []
    if path.exists():
        with open(path, encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file), [])
    if columns and set(row) <= set(columns):
        with open(path, "a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, columns).writerow(row)
        return
    rows = read_csv(path) if columns else []
    columns += [name for name in row if name not in columns]
    # A whole new file in the place of the old one: nobody ever reads half of it.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows([*rows, row])
    os.replace(name, path)
