"""One entry per transaction: how it looks, how it is encoded, how the chain of digests is made.

An entry is two JSON texts. The first, `text`, is the entry's structure: who, when, which fields, which line. The
second, `values`, is a JSON array with what was written and said: one slot for the cause, one per patch, one per send,
one for the outcome, in that order (null where a slot has nothing). A large value is stored beside the journal, and its
slot refers to it. The digest covers the text and, for each slot, a hash salted with a key of that slot: so a value can
be deleted later, and the chain still holds. `docs/journal.md` describes every byte.

Owns the format and its versions; never does I/O, and never looks into the values.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from promptgrimoire.commands import Cause
from promptgrimoire.errors import JournalDamaged, JournalError, JournalTooNew
from promptgrimoire.journal.large_values import LARGE, Blob, fetch, move_out, slot_name
from promptgrimoire.state.patches import Patch

FORMAT = 1

# From the entry's structure as JSON object and its values to those of the next format. Digests are checked before, over
# what is stored: an upgrader changes what is read, never the file.
Upgrader = Callable[[dict[str, Any], list[msgspec.Raw]], tuple[dict[str, Any], list[msgspec.Raw]]]
UPGRADERS: Mapping[int, Upgrader] = MappingProxyType({})  # n: upgrades format n to n + 1


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
    """A transaction's record. `seq` counts from 1 without gaps within a stream; `at` is seconds since 1970 (UTC).

    `blobs` are the slots that refer to a large value; making a row fills it in.
    """

    seq: int
    at: float
    cause: Cause
    patches: list[Patch] = []
    sends: list[Send] = []
    outcome: Outcome | None = None
    blobs: tuple[int, ...] = ()
    format: int = FORMAT


class Row(NamedTuple):
    """An entry as it is stored; with it, in `blobs`, the large values that are stored beside it."""

    stream: str
    seq: int
    text: bytes  # JSON of Entry
    values: bytes  # JSON array
    salt: (
        bytes  # 16 bytes; after `forget_slots`, a JSON array: {"key": hex} of each slot, {"hash": hex} where forgotten
    )
    digest: bytes  # 32 bytes, chained over the previous row's
    blobs: tuple[Blob, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return len(self.text) + len(self.values) + sum(len(blob.text) for blob in self.blobs)


TOMBSTONE = b'{"$":"forgotten"}'

_SALT = 16
_KEY = 16
_DIGEST = 32
_SALTS_AT_ONCE = 256
_KEYS_PER_BLOCK = 4  # a BLAKE2b digest has 64 bytes
_FIRST_BLOCK = bytes(4)
_NOTHING_BEFORE = bytes(_DIGEST)  # stands for the digest before the first entry
_HAS_BLOBS = b'"blobs":['  # nothing else in an entry looks so: quotation marks inside of texts are escaped
_UNBOUNDED = 2**63
_HAS_SENDS = b'"sends":'
_FORMAT_FIRST = b'{"format":%d,' % FORMAT  # every entry begins with its format, so that anything can tell it at once

_encode = msgspec.json.Encoder().encode
_decode_entry = msgspec.json.Decoder(Entry).decode
_decode_slots = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _SlotSecret(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What is kept of a slot once something of its entry was forgotten: its key, or, if it was forgotten, its hash."""

    key: str = ""
    hash: str = ""


_decode_secrets = msgspec.json.Decoder(list[_SlotSecret]).decode


class Chain:
    """Makes the rows of one stream, each chained to the one before.

    `seq` and `digest` are those of the last row made (0 and b"" before the first). Where a row was made and then not
    appended, `back_to` takes the chain back to the last row that was. `largest` bounds one value, in bytes of JSON.
    """

    __slots__ = ("_heading", "_next_salt", "_salts", "digest", "largest", "seq", "stream")

    def __init__(self, stream: str, seq: int = 0, digest: bytes = b"") -> None:
        self.stream = stream
        self._heading = _heading(stream)
        self._salts = b""
        self._next_salt = 0
        self.largest = _UNBOUNDED
        self.back_to(seq, digest)

    def back_to(self, seq: int, digest: bytes) -> None:
        """The next row is `seq` + 1 and follows the row with this digest."""
        if len(digest) != (_DIGEST if seq else 0):
            raise ValueError(
                f"stream {self.stream!r}: expected a digest of {_DIGEST} bytes after an entry and none before"
            )
        self.seq = seq
        self.digest = digest

    def row(self, entry: Entry, values: list[bytes]) -> Row:
        """The row of the next entry. `values` are compact JSON texts, one for each slot, b"null" where it has nothing.

        Raises JournalError where `entry.seq` leaves a gap, ValueError where the number of values is not that of the
        slots, TooLarge where one is beyond `largest`. Then the chain is as it was.
        """
        if entry.seq != self.seq + 1:
            raise JournalError(
                f"stream {self.stream!r}: expected entry {self.seq + 1}, got {entry.seq}; seq has no gaps"
            )
        position = self._next_salt
        if position == len(self._salts):
            self._salts = os.urandom(_SALT * _SALTS_AT_ONCE)  # one system call for many rows
            position = 0
        self._next_salt = position + _SALT
        salt = self._salts[position : position + _SALT]
        row = _make_row(self.stream, self._heading, entry, values, self.digest, salt, self.largest)
        self.seq = entry.seq
        self.digest = row.digest
        return row


def encode_row(stream: str, entry: Entry, values: list[bytes], previous: bytes) -> Row:
    """One row by itself; `previous` is the digest of the row before it, b"" for the first. See `Chain` for many."""
    return _make_row(stream, _heading(stream), entry, values, previous, os.urandom(_SALT), _UNBOUNDED)


def decode_row(
    row: Row, *, upgraders: Mapping[int, Upgrader] = UPGRADERS, current: int = FORMAT
) -> tuple[Entry, list[msgspec.Raw]]:
    """The entry of a row and its values, one for each slot. Entries of older formats are upgraded.

    Large values are in their slots, where the row has them with it (else the references to them are). Does not check
    digests (`check_row` does). Raises JournalTooNew, JournalDamaged.
    """
    try:
        values = _decode_slots(row.values)
        for blob in row.blobs:
            if blob.problem:
                raise _damaged(row, f"{_slot_name(row, blob.slot)} {blob.problem}")
            values[blob.slot] = msgspec.Raw(blob.text)
        if current == FORMAT and row.text.startswith(_FORMAT_FIRST):
            entry = _decode_entry(row.text)
        else:
            entry, values = _decode_other_format(row, values, upgraders, current)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(row, f"is not readable: {error}") from error
    if entry.seq != row.seq:
        raise _damaged(row, f"says that it is entry {entry.seq}")
    if len(values) != slot_count(entry):
        raise _damaged(row, f"has {len(values)} values, expected {slot_count(entry)}")
    return entry, values


def may_send(row: Row) -> bool:
    """Whether an entry may have messages, found out without reading it."""
    return _HAS_SENDS in row.text or not row.text.startswith(_FORMAT_FIRST)


def check_row(row: Row, previous: bytes) -> bytes:
    """The row's digest, computed anew; `previous` is that of the row before it, b"" for the first.

    Raises JournalDamaged, naming stream, entry and what differs.
    """
    try:
        values = [bytes(value) for value in _decode_slots(row.values)]
        said = msgspec.json.decode(row.text, type=_Head).seq
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(row, f"is not readable: {error}") from error
    if said != row.seq:
        raise _damaged(row, f"says that it is entry {said}")
    hashes = _hashes_with_salt(row.salt, values) if len(row.salt) == _SALT else _hashes_with_secrets(row, values)
    digest = _chain_digest(_heading(row.stream), row.text, hashes, previous)
    if digest != row.digest:
        raise _damaged(
            row,
            f"has digest {row.digest.hex()}, but its text, values, salt and the entry before it give {digest.hex()}:"
            " one of them is not what was written",
        )
    return digest


def with_blobs(row: Row, read: Callable[[str, int], bytes]) -> Row:
    """The row as it was stored, with its large values. What is wrong with one, `decode_row` will raise.

    `read` gives the text of a hash and a size, or raises JournalDamaged.
    """
    if _HAS_BLOBS not in row.text:
        return row
    try:
        slots = msgspec.json.decode(row.text, type=_Head).blobs
        values = _decode_slots(row.values)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return row  # `decode_row` says so
    inside = [slot for slot in slots if 0 <= slot < len(values) and bytes(values[slot]) != TOMBSTONE]
    return row._replace(blobs=tuple(fetch(slot, values[slot], read) for slot in inside))


def forget_slots(row: Row, slots: set[int]) -> Row:
    """The row without the values of these slots (counted from 0) and without their keys; its digest still holds.

    What remains of a forgotten value is a hash with a key of 128 random bits that exists nowhere any more. Of a large
    value this forgets the reference: whoever calls it has to delete the text in the blob store as well, unless another
    entry refers to it too (nothing does that yet).
    """
    values = [bytes(value) for value in _decode_slots(row.values)]
    beyond = sorted(slot for slot in slots if not 0 <= slot < len(values))
    if beyond:
        raise ValueError(f"stream {row.stream!r}, entry {row.seq}: has slots 0 to {len(values) - 1}, not {beyond}")
    if len(row.salt) == _SALT:
        secrets = [_SlotSecret(key=key.hex()) for key in _slot_keys(row.salt, len(values))]
    else:
        secrets = _slot_secrets(row, len(values))
    for slot in slots:
        if secrets[slot].key:
            secrets[slot] = _SlotSecret(hash=_slot_hash(bytes.fromhex(secrets[slot].key), values[slot]).hex())
        values[slot] = TOMBSTONE
    kept = tuple(blob for blob in row.blobs if blob.slot not in slots)
    return row._replace(values=_array(values), salt=_encode(secrets), blobs=kept)


def slot_count(entry: Entry) -> int:
    """How many values belong to an entry: its cause, each patch, each send, its outcome."""
    return 2 + len(entry.patches) + len(entry.sends)


class _Head(msgspec.Struct):
    """What every format has."""

    format: int
    seq: int
    blobs: tuple[int, ...] = ()


def _make_row(
    stream: str, heading: bytes, entry: Entry, values: list[bytes], previous: bytes, salt: bytes, largest: int
) -> Row:
    if len(values) != 2 + len(entry.patches) + len(entry.sends):
        raise ValueError(
            f"stream {stream!r}, entry {entry.seq}: expected {slot_count(entry)} values (cause, {len(entry.patches)}"
            f" patches, {len(entry.sends)} sends, outcome), got {len(values)}"
        )
    if entry.format != FORMAT:
        raise ValueError(f"stream {stream!r}, entry {entry.seq}: only format {FORMAT} is written, not {entry.format}")
    array = _array(values)
    blobs: tuple[Blob, ...] = ()
    if len(array) > LARGE:  # one comparison is all that an ordinary entry pays
        values, blobs = move_out(values, entry.patches, largest)
        if blobs:
            entry = msgspec.structs.replace(entry, blobs=tuple(blob.slot for blob in blobs))
            array = _array(values)
    text = _FORMAT_FIRST + _encode(entry)[1:]
    digest = _chain_digest(heading, text, _hashes_with_salt(salt, values), previous)
    return Row(stream, entry.seq, text, array, salt, digest, blobs)


def _slot_name(row: Row, slot: int) -> str:
    try:
        entry = _decode_entry(row.text)
    except (msgspec.DecodeError, UnicodeDecodeError):  # of another format, or damaged itself
        return f"slot {slot}"
    return slot_name(slot, entry.patches)


def _array(values: list[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]"


def _heading(stream: str) -> bytes:
    """Binds a digest to its stream, so that rows cannot be moved to another one unnoticed."""
    if not stream or "\n" in stream:
        raise ValueError(f"expected the name of a stream, without line breaks, got {stream!r}")
    return stream.encode() + b"\n"


def _chain_digest(heading: bytes, text: bytes, hashes: bytes, previous: bytes) -> bytes:
    whole = (previous or _NOTHING_BEFORE) + heading + text + b"\n" + hashes
    return blake2b(whole, digest_size=_DIGEST).digest()


def _slot_keys(salt: bytes, count: int) -> list[bytes]:
    keys: list[bytes] = []
    for block in range(-(-count // _KEYS_PER_BLOCK)):
        material = blake2b(salt + block.to_bytes(4, "big")).digest()
        keys += [material[start : start + _KEY] for start in range(0, _KEY * _KEYS_PER_BLOCK, _KEY)]
    return keys[:count]


def _slot_hash(key: bytes, value: bytes) -> bytes:
    # The key before the value, not BLAKE2's own key parameter: as secure (BLAKE2 cannot be extended), faster, and it
    # can be computed by hand with b2sum.
    return blake2b(key + value, digest_size=_DIGEST).digest()


def _hashes_with_salt(salt: bytes, values: list[bytes]) -> bytes:
    if len(values) == 3:  # the usual entry: one patch or one send; written out because every live call comes this way
        cause, change, outcome = values
        keys = blake2b(salt + _FIRST_BLOCK).digest()
        return (
            blake2b(keys[:16] + cause, digest_size=_DIGEST).digest()
            + blake2b(keys[16:32] + change, digest_size=_DIGEST).digest()
            + blake2b(keys[32:48] + outcome, digest_size=_DIGEST).digest()
        )
    return b"".join(map(_slot_hash, _slot_keys(salt, len(values)), values))


def _hashes_with_secrets(row: Row, values: list[bytes]) -> bytes:
    hashes = []
    for slot, (secret, value) in enumerate(zip(_slot_secrets(row, len(values)), values, strict=True)):
        if secret.key:
            hashes.append(_slot_hash(bytes.fromhex(secret.key), value))
        elif value == TOMBSTONE:
            hashes.append(bytes.fromhex(secret.hash))
        else:
            raise _damaged(row, f"has a value in slot {slot}, which was forgotten")
    return b"".join(hashes)


def _slot_secrets(row: Row, count: int) -> list[_SlotSecret]:
    try:
        secrets = _decode_secrets(row.salt)
        sizes = {(len(bytes.fromhex(secret.key)), len(bytes.fromhex(secret.hash))) for secret in secrets}
    except (msgspec.DecodeError, ValueError) as error:
        raise _damaged(row, f"has neither a salt of {_SALT} bytes nor the keys of its slots: {error}") from error
    if len(secrets) != count or not sizes <= {(_KEY, 0), (0, _DIGEST)}:
        raise _damaged(row, f"has {count} values, but its keys are not one for each of them")
    return secrets


def _decode_other_format(
    row: Row, values: list[msgspec.Raw], upgraders: Mapping[int, Upgrader], current: int
) -> tuple[Entry, list[msgspec.Raw]]:
    written = msgspec.json.decode(row.text, type=_Head).format
    if written > current:
        raise JournalTooNew(
            f"stream {row.stream!r}, entry {row.seq}: written in format {written}, this version reads formats up to"
            f" {current}; install the newer version of promptgrimoire that wrote it"
        )
    content = msgspec.json.decode(row.text, type=dict[str, Any])
    for version in range(written, current):
        if version not in upgraders:
            raise _damaged(row, f"is of format {written}, but nothing upgrades format {version}")
        content, values = upgraders[version](content, values)
        content["format"] = version + 1
    return msgspec.convert(content, Entry), values


def _damaged(row: Row, what: str) -> JournalDamaged:
    return JournalDamaged(f"stream {row.stream!r}: entry {row.seq} {what}")
