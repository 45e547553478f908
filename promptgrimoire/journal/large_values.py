"""Large values of an entry: which are moved out of it, what stands in their place, how they come back.

Owns the form of a reference. Pure: where the texts are kept is `blobs.py`'s affair, and who moves them the journal's.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, NamedTuple

import msgspec

from promptgrimoire.errors import JournalDamaged, TooLarge
from promptgrimoire.state.patches import Patch

LARGE = 256_000  # bytes of JSON; a value beyond this is moved out of its entry
_TIMES_LARGEST = 3  # so many of the largest values may be in one entry


class Blob(NamedTuple):
    """The value of a slot that was moved out of its entry. Where it could not be read, `problem` says why."""

    slot: int
    sha256: str
    text: bytes
    problem: str = ""


class Reference(msgspec.Struct, tag_field="$", tag="blob", forbid_unknown_fields=True):
    """What stands in the slot instead: `{"$":"blob","sha256":"…","size":300002}`."""

    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    size: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Reference).decode


def move_out(values: list[bytes], patches: list[Patch], largest: int) -> tuple[list[bytes], tuple[Blob, ...]]:
    """The values of an entry with references in place of large ones, and these.

    What is sent stays where it is: it has to fit into an outbox anyway. Raises TooLarge, naming what is beyond
    `largest`, or all of it together beyond what a step may write.
    """
    moved = list(values)
    blobs: list[Blob] = []
    for slot in (*range(1 + len(patches)), len(values) - 1):  # cause, patches, outcome
        text = values[slot]
        if len(text) > largest:
            raise TooLarge(
                f"{slot_name(slot, patches)} has {len(text):,} bytes as JSON; at most {largest:,} fit in one value (the"
                " setting limits.value). Store a part, or keep it in a file and store the file's name"
            )
        if len(text) > LARGE:
            blob = Blob(slot, sha256(text).hexdigest(), text)
            moved[slot] = _encode(Reference(blob.sha256, len(text)))
            blobs.append(blob)
    together = sum(len(blob.text) for blob in blobs)
    if together > _TIMES_LARGEST * largest:
        raise TooLarge(
            f"the large values of one step have {together:,} bytes as JSON; at most {_TIMES_LARGEST * largest:,} fit in"
            f" it ({_TIMES_LARGEST} times the setting limits.value). Write them in several steps"
        )
    return moved, tuple(blobs)


def slot_name(slot: int, patches: list[Patch]) -> str:
    """What a person would call it: the field 'audio' of p3 (speech.py:12)."""
    if slot == 0:
        return "what was asked"
    if slot > len(patches):
        return "what was answered"
    patch = patches[slot - 1]
    return f"the field '{'.'.join(map(str, patch.path))}' of {patch.record}" + (
        f" ({patch.line})" if patch.line else ""
    )


def fetch(slot: int, reference: msgspec.Raw, read: Callable[[str, int], bytes]) -> Blob:
    """The value that a slot refers to. `read` raises JournalDamaged where it is not what was written."""
    try:
        found = _decode(reference)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Blob(slot, "", b"", f"refers to a large value in a way that is not readable: {error}")
    try:
        return Blob(slot, found.sha256, read(found.sha256, found.size))
    except JournalDamaged as error:
        return Blob(slot, found.sha256, b"", f"is not there: {error}")
