"""The format of entries and the chain of digests, without any storage."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptgrimoire.commands import Entered
from promptgrimoire.errors import JournalDamaged, JournalError, JournalTooNew
from promptgrimoire.journal.entries import (
    FORMAT,
    TOMBSTONE,
    UPGRADERS,
    Chain,
    Entry,
    Row,
    check_row,
    decode_row,
    encode_row,
    forget_slots,
    slot_count,
)
from tests.journal.samples import entry, values

BEFORE = hashlib.sha256(b"some digest").digest()


def row(*, patches: int = 1, sends: int = 0, seq: int = 7) -> Row:
    return encode_row(
        "stream", entry(seq, patches=patches, sends=sends), values(seq, patches=patches, sends=sends), BEFORE
    )


def test_an_entry_comes_back_as_it_went() -> None:
    for patches, sends in ((0, 0), (1, 0), (3, 2), (0, 9)):
        found, slots = decode_row(row(patches=patches, sends=sends))
        assert found == entry(7, patches=patches, sends=sends)
        assert [bytes(slot) for slot in slots] == values(7, patches=patches, sends=sends)
        assert slot_count(found) == len(slots)


def test_every_entry_says_its_format_first() -> None:
    assert row().text.startswith(b'{"format":%d,"seq":7,' % FORMAT)
    assert json.loads(row().text)["cause"]["type"] == "called"


def test_the_digest_can_be_computed_with_what_the_documentation_says() -> None:
    """Runs the code that docs/journal.md prints, which uses nothing of the package."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    for patches, sends in ((0, 0), (1, 0), (4, 3)):
        found = row(patches=patches, sends=sends)
        slots = values(7, patches=patches, sends=sends)
        assert names["digest"](BEFORE, "stream", found.text, slots, found.salt) == found.digest
    first = encode_row("stream", entry(1), values(1), b"")
    assert names["digest"](b"", "stream", first.text, values(1), first.salt) == first.digest


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_wrong_number_of_values_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"expected 3 values .*got {count}"):
        encode_row("stream", entry(1), [b"null"] * count, b"")


def test_a_chain_refuses_a_gap() -> None:
    chain = Chain("stream")
    first = chain.row(entry(1), values(1))
    with pytest.raises(JournalError, match="expected entry 2, got 3"):
        chain.row(entry(3), values(3))
    with pytest.raises(ValueError, match="expected 3 values"):
        chain.row(entry(2), [])
    second = chain.row(entry(2), values(2))  # what was refused left no trace
    assert check_row(second, check_row(first, b"")) == second.digest == chain.digest


def test_a_chain_can_go_back_to_what_was_appended() -> None:
    chain = Chain("stream")
    first = chain.row(entry(1), values(1))
    chain.row(entry(2), values(2))
    chain.back_to(1, first.digest)
    assert check_row(chain.row(entry(2), values(2)), first.digest)
    with pytest.raises(ValueError, match="digest of 32 bytes"):
        chain.back_to(1, b"")


@pytest.mark.parametrize("name", ["", "a\nb"])
def test_a_name_that_would_blur_the_digest_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name of a stream"):
        Chain(name)


def test_no_two_rows_share_a_salt() -> None:
    chain = Chain("stream")
    salts = {chain.row(entry(seq), values(seq)).salt for seq in range(1, 1001)}
    assert len(salts) == 1000
    assert {len(salt) for salt in salts} == {16}


def other(found: Row, **changes: Any) -> Row:
    return found._replace(**changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: other(row, text=row.text.replace(b"add_item", b"del_item")),
        lambda row: other(row, values=row.values.replace(b"twenty", b"thirty", 1)),
        lambda row: other(row, values=row.values.replace(b",null]", b',"ok"]')),
        lambda row: other(row, values=row.values[:-1] + b",null]"),
        lambda row: other(row, values=row.values[:-1]),
        lambda row: other(row, salt=bytes(16)),
        lambda row: other(row, salt=row.salt[:-1]),
        lambda row: other(row, digest=bytes(32)),
        lambda row: other(row, stream="another"),
        lambda row: other(row, seq=8),
        lambda row: other(row, text=b"{}"),
        lambda row: other(row, text=b"\xff" + row.text),
    ],
)
def test_a_changed_row_is_noticed_and_named(change: Any) -> None:
    changed = change(row())
    with pytest.raises(JournalDamaged, match=f"stream '{changed.stream}': entry {changed.seq} "):
        check_row(changed, BEFORE)


def test_rows_that_changed_places_are_noticed() -> None:
    with pytest.raises(JournalDamaged):
        check_row(row(), bytes(32))
    assert check_row(row(), BEFORE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_whatever_is_forgotten_the_chain_holds_and_the_rest_is_as_it_was(data: st.DataObject) -> None:
    contents = [msgspec.json.encode(value) for value in data.draw(st.lists(JSON, min_size=2, max_size=14))]
    made = encode_row("stream", entry(1, patches=len(contents) - 2), contents, b"")
    gone: set[int] = set()
    kept = made
    for _ in range(2):  # forgetting again, and more, is possible
        gone |= (slots := data.draw(st.sets(st.integers(0, len(contents) - 1))))
        kept = forget_slots(kept, slots)
        assert check_row(kept, b"") == made.digest
        found = [bytes(slot) for slot in decode_row(kept)[1]]
        assert found == [TOMBSTONE if slot in gone else content for slot, content in enumerate(contents)]


def test_nothing_that_leads_to_a_forgotten_value_is_left() -> None:
    made = row(patches=2)
    kept = forget_slots(made, {1})
    material = hashlib.blake2b(made.salt + bytes(4)).digest()
    key = material[16:32]
    whole = b"".join((kept.text, kept.values, kept.salt, kept.digest))
    assert key.hex().encode() not in whole
    assert key not in whole
    assert made.salt not in whole
    assert made.salt.hex().encode() not in whole
    assert material[:16].hex().encode() in kept.salt  # the others' keys are


def test_a_value_cannot_be_slipped_in_where_one_was_forgotten() -> None:
    kept = forget_slots(row(), {1})
    with pytest.raises(JournalDamaged, match="slot 1, which was forgotten"):
        check_row(kept._replace(values=kept.values.replace(TOMBSTONE, b'["invented"]')), BEFORE)
    with pytest.raises(JournalDamaged, match="digest"):
        check_row(kept._replace(values=kept.values.replace(b",null]", b",0]")), BEFORE)
    with pytest.raises(JournalDamaged, match="one for each"):
        check_row(kept._replace(salt=b'[{"key":"00"}]     '), BEFORE)


def test_forgetting_what_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"slots 0 to 2, not \[3\]"):
        forget_slots(row(), {0, 3})


def test_an_entry_of_a_newer_format_is_refused() -> None:
    newer = row()._replace(text=row().text.replace(b'"format":1', b'"format":2'))
    with pytest.raises(JournalTooNew, match="format 2, this version reads formats up to 1; install the newer"):
        decode_row(newer)


def test_evidence_8_an_entry_of_an_older_format_is_upgraded() -> None:
    """In the made-up format 0 `entered` was called `came`, and up to 1 there was no outcome slot."""

    def from_0(content: dict[str, Any], slots: list[msgspec.Raw]) -> tuple[dict[str, Any], list[msgspec.Raw]]:
        content["cause"]["type"] = "entered"
        return content, slots

    def from_1(content: dict[str, Any], slots: list[msgspec.Raw]) -> tuple[dict[str, Any], list[msgspec.Raw]]:
        return content, [*slots, msgspec.Raw(b"null")]

    old = Row("stream", 7, b'{"format":0,"seq":7,"at":5.0,"cause":{"type":"came","player":3}}', b"[1]", b"", b"")
    found, slots = decode_row(old, upgraders={0: from_0, 1: from_1}, current=2)
    assert found == Entry(seq=7, at=5.0, cause=Entered(3), format=2)
    assert [bytes(slot) for slot in slots] == [b"1", b"null"]
    with pytest.raises(JournalDamaged, match="nothing upgrades format 1"):
        decode_row(old, upgraders={0: from_0}, current=2)


def test_every_older_format_has_its_upgrader() -> None:
    assert sorted(UPGRADERS) == list(range(1, FORMAT))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": b'{"format":1,"seq":7}'}, "not readable"),
        ({"text": b"nonsense"}, "not readable"),
        ({"values": b"[null]"}, "has 1 values, expected 3"),
        ({"seq": 8}, "says that it is entry 7"),
    ],
)
def test_a_row_that_cannot_be_read_is_damaged(change: dict[str, Any], said: str) -> None:
    with pytest.raises(JournalDamaged, match=said):
        decode_row(row()._replace(**change))
