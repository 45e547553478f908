"""What every journal promises, whatever it is made of. Each test is named after the fault it guards against."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptgrimoire.errors import JournalError, JournalUnavailable
from promptgrimoire.journal.base import Description, Journal, Snapshot
from promptgrimoire.journal.entries import Chain, Row, check_row
from promptgrimoire.journal.verify import verify
from tests.journal.conftest import Storage
from tests.journal.samples import Ear


async def fill(journal: Journal, ear: Ear, count: int) -> list[Row]:
    rows = [ear.row() for _ in range(count)]
    for row in rows:
        journal.append(ear, row)
    await journal.flush()
    return rows


async def test_what_was_stored_is_read_back_byte_for_byte(journal: Journal) -> None:
    ear = Ear("a")
    rows = await fill(journal, ear, 5)
    assert await journal.read("a") == rows
    assert await journal.read("a", after=3) == rows[3:]
    assert await journal.read("a", after=1, limit=2) == rows[1:3]
    assert await journal.read("a", after=5) == []
    assert await journal.read("unknown") == []


async def test_it_survives_a_restart(storage: Storage) -> None:
    journal = storage.journal()
    await journal.open()
    ear = Ear("a")
    rows = await fill(journal, ear, 3)
    await journal.close()
    again = storage.journal()
    await again.open()
    assert await again.read("a") == rows
    loaded = await again.load("a")
    assert loaded is not None
    assert (loaded.stream.seq, loaded.digest) == (3, rows[-1].digest)
    more = await fill(again, Ear("a", Chain("a", loaded.stream.seq, loaded.digest)), 2)
    assert check_row(more[0], rows[-1].digest) == more[0].digest
    assert (await verify(again)).problems == []
    await again.close()


async def test_closing_stores_what_waits(storage: Storage) -> None:
    journal = storage.journal()
    await journal.open()
    ear = Ear("a")
    for _ in range(100):
        journal.append(ear, ear.row())
    await journal.close()
    assert ear.heard[-1] == 100
    await journal.close()  # twice does no harm
    again = storage.journal()
    await again.open()
    assert len(await again.read("a")) == 100
    await again.close()


async def test_stored_is_never_called_from_within_append(journal: Journal) -> None:
    ear = Ear("a")
    journal.append(ear, ear.row())
    assert ear.heard == []
    await ear.something()
    assert ear.heard == [1]


async def test_stored_is_called_once_per_commit_and_in_order(journal: Journal) -> None:
    ears = [Ear("a"), Ear("b"), Ear("c")]
    for _ in range(200):
        for ear in ears:
            journal.append(ear, ear.row())
    await journal.flush()
    for ear in ears:
        assert ear.heard == sorted(set(ear.heard))
        assert ear.heard[-1] == 200
        assert len(ear.heard) < 100  # the event loop was not free in between: few commits, few calls


async def test_a_listener_that_fails_does_not_silence_the_others(journal: Journal) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    first, second = Ear("a"), Ear("b")

    def fail(seq: int) -> None:
        raise ZeroDivisionError

    first.on_stored = fail
    journal.append(first, first.row())
    journal.append(second, second.row())
    await journal.flush()
    assert second.heard == [1]
    assert isinstance(reported[0]["exception"], ZeroDivisionError)


@pytest.mark.parametrize("wrong", [1, 3, 5])
async def test_a_gap_or_repeat_is_refused_at_once(journal: Journal, wrong: int) -> None:
    ear = Ear("a")
    await fill(journal, ear, 3)
    row = ear.row()._replace(seq=wrong)
    with pytest.raises(JournalError, match=f"expected entry 4, got {wrong}"):
        journal.append(ear, row)
    assert len(await journal.read("a")) == 3


async def test_a_stream_does_not_begin_in_the_middle(journal: Journal) -> None:
    ear = Ear("new", Chain("new", 6, bytes(32)))
    with pytest.raises(JournalError, match="expected entry 1, got 7"):
        journal.append(ear, ear.row())


async def test_a_stream_that_was_not_loaded_is_not_begun_anew(storage: Storage) -> None:
    journal = storage.journal()
    await journal.open()
    await fill(journal, Ear("a"), 2)
    await journal.close()
    again = storage.journal()
    await again.open()
    ear = Ear("a")
    with pytest.raises(JournalError, match="load it before"):
        again.append(ear, ear.row())
    await again.load("a")
    with pytest.raises(JournalError, match="expected entry 3, got 2"):
        again.append(ear, ear.row())
    await again.close()


async def test_too_much_waiting_is_refused_and_nothing_of_the_rest_is_lost(storage: Storage) -> None:
    journal = storage.journal(max_rows=10)
    await journal.open()
    ear = Ear("a")
    for _ in range(10):
        journal.append(ear, ear.row())
    before = (ear.chain.seq, ear.chain.digest)
    with pytest.raises(JournalUnavailable, match="10 entries"):
        journal.append(ear, ear.row())
    ear.chain.back_to(*before)
    await journal.flush()
    await fill(journal, ear, 1)
    assert [row.seq for row in await journal.read("a")] == list(range(1, 12))
    assert (await verify(journal)).problems == []
    await journal.close()


async def test_the_bound_counts_bytes_too(storage: Storage) -> None:
    journal = storage.journal(max_bytes=1000)
    await journal.open()
    ear = Ear("a")
    for _ in range(3):
        journal.append(ear, ear.row())
    row = ear.row()
    with pytest.raises(JournalUnavailable, match="1000 bytes"):
        journal.append(ear, row)
    await journal.close()


async def test_a_failure_is_heard_once_and_everything_is_refused_until_revived(
    storage: Storage, journal: Journal
) -> None:
    ear, idle = Ear("a"), Ear("idle")
    kept = await fill(journal, ear, 2)
    await fill(journal, idle, 1)
    storage.break_it()
    for _ in range(3):
        journal.append(ear, ear.row())
    with pytest.raises(JournalUnavailable):
        await journal.flush()
    assert len(ear.failures) == 1
    assert ear.heard[-1] == 2
    assert idle.failures == []  # it had nothing waiting
    with pytest.raises(JournalUnavailable):
        journal.append(ear, ear.row())
    with pytest.raises(JournalUnavailable):
        journal.append(idle, idle.row())
    with pytest.raises(JournalUnavailable):
        await journal.save("a", Snapshot(1, {"s": (1, b"{}")}))
    with pytest.raises(JournalUnavailable):
        await journal.revive()
    storage.mend_it()
    await journal.revive()
    assert await journal.read("a") == kept
    assert len(ear.failures) == 1


async def test_after_a_failure_a_stream_goes_on_where_the_disk_left_it(storage: Storage, journal: Journal) -> None:
    ear, idle = Ear("a"), Ear("idle")
    kept = await fill(journal, ear, 2)
    await fill(journal, idle, 1)
    storage.break_it()
    journal.append(ear, ear.row())
    await ear.something()
    with pytest.raises(JournalUnavailable):
        await journal.flush()
    storage.mend_it()
    await journal.revive()
    with pytest.raises(JournalError, match="load it before"):
        journal.append(ear, ear.row())
    loaded = await journal.load("a")
    assert loaded is not None
    assert (loaded.stream.seq, loaded.digest) == (2, kept[-1].digest)
    fresh = Ear("a", Chain("a", loaded.stream.seq, loaded.digest))
    await fill(journal, fresh, 2)
    await fill(journal, idle, 1)  # need not be loaded: nothing of it was lost
    assert (await verify(journal)).problems == []
    assert [(stream.id, stream.seq) for stream in await journal.streams()] == [("a", 4), ("idle", 2)]


async def test_a_new_stream_whose_first_entry_failed_can_begin_again(storage: Storage, journal: Journal) -> None:
    storage.break_it()
    ear = Ear("new")
    journal.append(ear, ear.row(), Description(app="market", created=5.0))
    await ear.something()
    assert len(ear.failures) == 1
    storage.mend_it()
    await journal.revive()
    assert await journal.load("new") is None
    again = Ear("new")
    await fill(journal, again, 1)
    assert [row.seq for row in await journal.read("new")] == [1]


async def test_reviving_what_works_changes_nothing(journal: Journal) -> None:
    ear = Ear("a")
    await fill(journal, ear, 1)
    await journal.revive()
    await fill(journal, ear, 1)
    assert ear.failures == []


async def test_two_sessions_may_ask_for_revival_at_once(storage: Storage, journal: Journal) -> None:
    storage.break_it()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await ear.something()
    storage.mend_it()
    await asyncio.gather(journal.revive(), journal.revive(), journal.revive())
    await journal.load("a")
    await fill(journal, Ear("a"), 1)
    assert len(await journal.read("a")) == 1


async def test_the_index_says_what_the_rows_brought_with_them(storage: Storage) -> None:
    journal = storage.journal()
    await journal.open()
    late, early = Ear("late"), Ear("early")
    journal.append(late, late.row(), Description(app="market", created=200.0))
    journal.append(early, early.row(), Description(app="trust", created=100.0))
    journal.append(early, early.row(), Description(joined=True, due=150.0))
    journal.append(late, late.row(), Description(due=250.0))
    journal.append(late, late.row())
    await journal.flush()
    journal.append(early, early.row(), Description())
    await journal.flush()
    for _ in range(2):
        found = await journal.streams()
        assert [(line.id, line.app, line.created, line.seq, line.joined, line.due) for line in found] == [
            ("early", "trust", 100.0, 3, True, None),
            ("late", "market", 200.0, 3, False, 250.0),
        ]
        loaded = await journal.load("late")
        assert loaded is not None
        assert loaded.stream == found[1]
        await journal.close()
        journal = storage.journal()
        await journal.open()
    await journal.close()


async def test_a_description_without_its_row_never_happens(storage: Storage, journal: Journal) -> None:
    ear = Ear("a")
    await fill(journal, ear, 1)
    storage.break_it()
    journal.append(ear, ear.row(), Description(joined=True, due=9.0))
    await ear.something()
    storage.mend_it()
    await journal.revive()
    (line,) = await journal.streams()
    assert (line.seq, line.joined, line.due) == (1, False, None)


async def test_an_unknown_stream_is_none(journal: Journal) -> None:
    assert await journal.load("nobody") is None


async def test_loading_waits_for_what_was_appended_before(journal: Journal) -> None:
    """Otherwise rows of a host that was put away would turn up behind the back of the one that is loaded."""
    ear = Ear("a")
    for _ in range(50):
        journal.append(ear, ear.row())
    loaded = await journal.load("a")
    assert loaded is not None
    assert (loaded.stream.seq, loaded.digest) == (50, ear.chain.digest)


async def test_snapshots_keep_the_newest_of_each_record(storage: Storage) -> None:
    journal = storage.journal()
    await journal.open()
    ear = Ear("a")
    rows = await fill(journal, ear, 9)
    loaded = await journal.load("a")
    assert loaded is not None
    assert loaded.snapshot is None
    await journal.save("a", Snapshot(3, {"s": (3, b"s3"), "p1": (3, b"\xff\x00"), "p2": (2, b"p2")}))
    await journal.save("a", Snapshot(6, {"p1": (7, b"p1 of 7")}))
    await journal.save("a", Snapshot(5, {"p1": (5, b"late and older")}))
    for _ in range(2):
        loaded = await journal.load("a")
        assert loaded is not None
        assert loaded.snapshot == Snapshot(6, {"s": (3, b"s3"), "p1": (7, b"p1 of 7"), "p2": (2, b"p2")})
        assert loaded.digest == rows[-1].digest
        await journal.close()
        journal = storage.journal()
        await journal.open()
    await journal.close()


async def test_a_snapshot_waits_for_its_entries(storage: Storage, journal: Journal) -> None:
    ear = Ear("a")
    await fill(journal, ear, 1)
    storage.break_it()
    journal.append(ear, ear.row())
    with pytest.raises(JournalUnavailable):
        await journal.save("a", Snapshot(2, {"s": (2, b"never true")}))
    storage.mend_it()
    await journal.revive()
    loaded = await journal.load("a")
    assert loaded is not None
    assert loaded.snapshot is None


async def test_a_snapshot_of_the_future_is_refused(journal: Journal) -> None:
    ear = Ear("a")
    await fill(journal, ear, 1)
    with pytest.raises(JournalError, match="as of entry 2"):
        await journal.save("a", Snapshot(1, {"s": (2, b"")}))


async def test_a_long_reading_gives_every_row_while_others_append(journal: Journal) -> None:
    long = Ear("long")
    rows = await fill(journal, long, 3000)
    other = Ear("other")
    reading = asyncio.create_task(journal.read("long", limit=10_000))
    while not reading.done():
        await fill(journal, other, 1)
    assert await reading == rows
    assert (await journal.read("long", after=2500, limit=10_000)) == rows[2500:]


async def test_a_closed_journal_says_so(storage: Storage) -> None:
    journal = storage.journal()
    ear = Ear("a")
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.append(ear, ear.row())
    with pytest.raises(JournalUnavailable, match="closed"):
        await journal.load("a")
    await journal.open()
    with pytest.raises(JournalError, match="it is open"):
        await journal.open()
    await journal.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        await journal.flush()


async def test_who_stops_waiting_disturbs_nobody(journal: Journal) -> None:
    ear = Ear("a")
    await fill(journal, ear, 2000)
    reading = asyncio.create_task(journal.read("a", limit=10_000))
    flushing = asyncio.create_task(journal.flush())
    await asyncio.sleep(0)
    reading.cancel()
    flushing.cancel()
    await asyncio.gather(reading, flushing, return_exceptions=True)
    await fill(journal, ear, 1)
    assert len(await journal.read("a", limit=10_000)) == 2001
