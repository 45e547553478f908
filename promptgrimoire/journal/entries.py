"""One entry per transaction: how it looks, how it is encoded, how the chain of digests is made.

An entry is two JSON texts. The first, `text`, is the entry's structure: who, when, which fields, which line. The second, `values`,
is a JSON array with what was written and said: one slot for the cause, one per patch, one per send, one for the
outcome, in that order (null where a slot has nothing). The digest covers the text and, for each slot, a hash salted with
a key of that slot: so a value can be deleted later, and the chain still holds.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from promptgrimoire.commands import Cause
from promptgrimoire.state.patches import Patch

FORMAT = 1


class Send(msgspec.Struct, array_like=True, omit_defaults=True):
    """One notification: scope and exclusions rather than a list of a thousand recipients.

    `to` is None for everybody in the session, else player ids; `but` are excluded. `where` is None for any page (the
    recipient's stay at that moment), else `[page, round]`.
    """

    name: str | None
    to: list[int] | None
    but: list[int] = []
    where: tuple[str, int] | None = None
    keep: bool = False
    sender: int = 0


class Outcome(msgspec.Struct, array_like=True, omit_defaults=True):
    """How a call ended. `started`: it waits for something outside, its outcome follows in a later entry.

    `code`, `message` and `id` are those of the protocol's `error`.
    """

    kind: Literal["ok", "error", "started"]
    code: str = ""
    message: str = ""
    id: str = ""


class Entry(msgspec.Struct, omit_defaults=True):
    """A transaction's record. `seq` counts from 1 without gaps within a stream; `at` is seconds since 1970 (UTC)."""

    seq: int
    at: float
    cause: Cause
    patches: list[Patch] = []
    sends: list[Send] = []
    outcome: Outcome | None = None
    format: int = FORMAT


class Row(NamedTuple):
    """An entry as it is stored."""

    stream: str
    seq: int
    text: bytes  # JSON of Entry
    values: bytes  # JSON array
    salt: bytes  # 16 bytes; after `forget`, the JSON array of the remaining slots' keys
    digest: bytes  # 32 bytes, chained over the previous row's
