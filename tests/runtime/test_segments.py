"""Author coroutines in segments: transactions, task identity, cancellation, context, refusals, faults."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncGenerator, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from promptgrimoire.runtime.generators import run_generator
from promptgrimoire.runtime.segments import Segments
from tests.runtime.stage import LOOPS, Refusal, Stage, Transactions

_mood: ContextVar[str] = ContextVar("mood", default="none")


@pytest.fixture(params=LOOPS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(LOOPS[request.param])


# ---------------------------------------------------------------- transactions


def test_a_coroutine_that_never_waits_is_one_transaction_and_no_task(stage: Stage) -> None:
    async def author() -> str:
        stage.write(1)
        await nothing()
        stage.write(2)
        return "done"

    async def nothing() -> None:
        pass

    async def scene() -> None:
        stage.run(nothing())  # the identity that is lent from now on
        await asyncio.sleep(0)
        before = asyncio.all_tasks()
        for _ in range(5):
            transactions, task = stage.run(author())
            assert task is None
            assert transactions.committed == [[1, 2]]
            assert transactions.end == "done"
        assert asyncio.all_tasks() == before

    stage.play(scene)


def test_each_suspension_commits(stage: Stage) -> None:
    async def author() -> str:
        stage.write(1)
        await asyncio.sleep(0)
        stage.write(2)
        await asyncio.sleep(0.001)
        stage.write(3)
        return "done"

    async def scene() -> None:
        transactions, task = stage.run(author())
        assert task is not None
        assert transactions.committed == [[1]]
        await asyncio.wait([task])
        assert not task.cancelled()
        assert transactions.committed == [[1], [2], [3]]
        assert transactions.end == "done"

    stage.play(scene)


def test_an_error_undoes_the_segment_it_escapes_from(stage: Stage) -> None:
    async def author(wait: bool) -> None:
        stage.write(1)
        if wait:
            await asyncio.sleep(0)
        stage.write(2)
        raise ValueError("oops")

    async def scene() -> None:
        at_once = await stage.finish(author(False))
        assert (at_once.committed, at_once.undone) == ([], [[1, 2]])
        later = await stage.finish(author(True))
        assert (later.committed, later.undone) == ([[1]], [[2]])
        assert isinstance(at_once.end, ValueError)
        assert isinstance(later.end, ValueError)

    stage.play(scene)


def test_nothing_interleaves_between_two_awaits(stage: Stage) -> None:
    """Many at once, each with children; `Transactions` refuses a begin while another is open."""

    async def author(number: int) -> int:
        for step in range(3):
            stage.write((number, step))
            await asyncio.sleep(0.0001 * ((number * 7 + step) % 3))
            async with asyncio.TaskGroup() as group:
                group.create_task(child((number, step)))
                group.create_task(child((number, step)))
        return number

    async def child(value: object) -> None:
        stage.write(value)
        await asyncio.sleep(0)
        stage.write(value)

    async def scene() -> None:
        calls = [stage.run(author(number)) for number in range(30)]
        await asyncio.wait([task for _, task in calls if task is not None])
        for number, (transactions, _) in enumerate(calls):
            assert transactions.end == number
            assert [w for writes in transactions.committed for w in writes] == [(number, s) for s in range(3)]
            for index, made in enumerate(transactions.children):
                assert made.committed == [[(number, index // 2)]] * 2

    stage.play(scene)


# ---------------------------------------------------------------- identity


def test_the_first_step_shows_the_task_that_goes_on(stage: Stage) -> None:
    seen: list[asyncio.Task[Any] | None] = []

    async def author() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    async def scene() -> None:
        me = asyncio.current_task()
        _, task = stage.run(author())
        assert asyncio.current_task() is me
        assert task is not None
        await task
        assert seen == [task, task]
        assert task is not me

    stage.play(scene)


def test_the_caller_gets_its_identity_back_whatever_happens(stage: Stage) -> None:
    async def fails() -> None:
        raise ValueError

    async def scene() -> None:
        me = asyncio.current_task()
        stage.run(fails())
        assert asyncio.current_task() is me
        async with asyncio.timeout(5):  # needs it
            await asyncio.sleep(0)

    stage.play(scene)


def test_from_a_callback_of_the_loop(stage: Stage) -> None:
    async def author() -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        called: asyncio.Future[tuple[Transactions, asyncio.Task[None] | None]] = loop.create_future()

        def callback() -> None:
            assert asyncio.current_task() is None
            called.set_result(stage.run(author()))
            assert asyncio.current_task() is None

        loop.call_soon(callback)
        transactions, task = await called
        assert task is not None
        await task
        assert transactions.end is None

    stage.play(scene)


def test_nested_calls_have_identities_of_their_own(stage: Stage) -> None:
    tasks: list[object] = []

    async def inner() -> None:
        tasks.append(asyncio.current_task())

    async def outer() -> None:
        tasks.append(asyncio.current_task())
        open_before, stage.open = stage.open, None  # as a host does that nests
        stage.run(inner())
        stage.open = open_before
        tasks.append(asyncio.current_task())

    async def scene() -> None:
        await stage.finish(outer())
        assert tasks[0] is tasks[2]
        assert tasks[0] is not tasks[1]

    stage.play(scene)


def test_a_task_that_somebody_keeps_is_not_lent_again(stage: Stage) -> None:
    """Else cancelling it later would cancel another call."""
    kept: list[asyncio.Task[Any]] = []

    async def keeps() -> None:
        task = asyncio.current_task()
        assert task is not None
        kept.append(task)

    async def waits() -> str:
        await asyncio.sleep(0.001)
        return "not cancelled"

    async def scene() -> None:
        for _ in range(2):  # a new task, and one that was parked
            await stage.finish(keeps())
            transactions, task = stage.run(waits())
            assert task is not None
            kept[-1].cancel()
            await asyncio.wait([task, kept[-1]])
            assert transactions.end == "not cancelled"
            stage.run(_quick())
            await asyncio.sleep(0)

    stage.play(scene)


def test_a_kept_task_ends(stage: Stage) -> None:
    async def keeps() -> None:
        kept.append(asyncio.current_task())

    kept: list[Any] = []

    async def scene() -> None:
        await stage.finish(keeps())
        assert await kept[0] is None

    stage.play(scene)


def test_what_waits_is_kept_alive(stage: Stage) -> None:
    """The loop holds tasks weakly: a task that waits for a future nobody else holds would vanish."""

    async def author() -> None:
        await asyncio.get_running_loop().create_future()

    async def scene() -> None:
        transactions, _ = stage.run(author())
        await asyncio.sleep(0)
        del _
        gc.collect()
        (waiting,) = [task for task in asyncio.all_tasks() if "author" in repr(task)]
        waiting.cancel()
        await asyncio.wait([waiting])
        assert isinstance(transactions.end, asyncio.CancelledError)

    stage.play(scene)


def test_on_task_is_told_after_the_first_commit(stage: Stage) -> None:
    async def scene() -> None:
        transactions = Transactions(stage)
        told: list[asyncio.Task[None]] = []

        def on_task(task: asyncio.Task[None]) -> None:
            assert transactions.committed == [[]]
            told.append(task)

        stage.segments.run(asyncio.sleep(0, "value"), transactions, on_task=on_task)
        await asyncio.wait(told)
        assert transactions.end == "value"

    stage.play(scene)


# ---------------------------------------------------------------- cancellation


def test_cancelled_between_the_first_step_and_the_second(stage: Stage) -> None:
    async def author() -> None:
        stage.write(1)
        try:
            await asyncio.sleep(60)
        finally:
            stage.write("cleaned")

    async def scene() -> None:
        for _ in range(2):  # with a task that has never run, and with a parked one
            transactions, task = stage.run(author())
            assert task is not None
            task.cancel("why")
            await asyncio.wait([task])
            assert task.cancelled()
            assert transactions.undone == [["cleaned"]]
            assert isinstance(transactions.end, asyncio.CancelledError)
            stage.run(_quick())
            await asyncio.sleep(0)

    stage.play(scene)


async def _quick() -> None:
    pass


def test_cancelled_early_while_it_waits_for_a_task_of_its_own(stage: Stage) -> None:
    """A cancelled task first cancels what it waits for, and waits for that to end."""
    order: list[str] = []

    async def inner() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            order.append("inner")

    async def begins() -> None:
        task.append(asyncio.create_task(inner()))

    async def awaits() -> None:
        try:
            await task[0]
        finally:
            order.append("author")

    task: list[asyncio.Task[None]] = []

    async def scene() -> None:
        for parked in (True, False):
            order.clear()
            task.clear()
            stage.run(begins())
            await asyncio.sleep(0)
            stage.run(_quick() if parked else asyncio.sleep(0))  # which takes the parked one
            _, going = stage.run(awaits())
            assert going is not None
            going.cancel()
            await asyncio.wait([going])
            assert order == ["inner", "author"]

    stage.play(scene)


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def test_parked_tasks_that_are_cancelled_are_not_lent(stage: Stage) -> None:
    async def author() -> str:
        await asyncio.sleep(0)
        return "fine"

    async def scene() -> None:
        for turns in range(4):
            stage.run(_quick())
            for _ in range(turns % 2):
                await asyncio.sleep(0)
            for task in asyncio.all_tasks():
                if "segments of" in repr(task.get_coro()):
                    task.cancel()
            for _ in range(turns // 2):
                await asyncio.sleep(0)
            assert (await stage.finish(author())).end == "fine"

    stage.play(scene)


def test_parked_tasks_that_are_cancelled_end(stage: Stage) -> None:
    """As asyncio.run does at its end, and waits for them."""

    async def scene() -> None:
        before = asyncio.all_tasks()
        stage.run(_quick())
        await asyncio.sleep(0)
        (parked,) = asyncio.all_tasks() - before
        parked.cancel()
        await asyncio.wait_for(asyncio.wait([parked]), 5)
        assert parked.cancelled()

    stage.play(scene)


def test_author_code_that_cancels_itself_and_returns_harms_nobody(stage: Stage) -> None:
    async def cancels() -> str:
        current().cancel()
        return "done"

    async def author() -> str:
        await asyncio.sleep(0)
        return "fine"

    async def scene() -> None:
        for pause in (0, 1):
            assert (await stage.finish(cancels())).end == "done"
            for _ in range(pause):
                await asyncio.sleep(0.001)
            assert (await stage.finish(author())).end == "fine"

    stage.play(scene)


@pytest.mark.parametrize("parked", [False, True])
def test_cancelled_and_uncancelled_in_the_first_step(stage: Stage, parked: bool) -> None:
    async def author() -> str:
        current().cancel()
        current().uncancel()
        await asyncio.sleep(0.001)
        return "fine"

    async def instant() -> None:
        current().cancel()
        current().uncancel()

    async def scene() -> None:
        if parked:
            stage.run(instant())
            await asyncio.sleep(0)
            stage.run(_quick())
            await asyncio.sleep(0)
        assert (await stage.finish(author())).end == "fine"

    stage.play(scene)


# ---------------------------------------------------------------- context


def test_contexts_are_separate_and_constant(stage: Stage) -> None:
    seen: list[str] = []

    async def author(mood: str) -> None:
        seen.append(_mood.get())
        _mood.set(mood)
        await asyncio.sleep(0)
        seen.append(_mood.get())

    async def quick(mood: str) -> None:
        seen.append(_mood.get())
        _mood.set(mood)

    async def scene() -> None:
        _mood.set("caller's")
        for _ in range(2):
            await stage.finish(quick("leaked"))
            await stage.finish(author("own"))
        assert _mood.get() == "caller's"
        assert seen == ["caller's", "caller's", "own"] * 2

    stage.play(scene)


def test_a_parked_task_keeps_nothing_of_its_first_caller(stage: Stage) -> None:
    class Player:
        pass

    player: ContextVar[Player | None] = ContextVar("player", default=None)

    async def scene() -> None:
        one = Player()
        gone = weakref.ref(one)
        player.set(one)
        stage.run(_quick())
        await asyncio.sleep(0)
        player.set(None)
        stage.run(_quick())
        del one
        gc.collect()
        assert gone() is None

    stage.play(scene)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("waits", [False, True])
def test_system_exit_is_an_error_like_any_other(stage: Stage, waits: bool) -> None:
    async def author() -> None:
        if waits:
            await asyncio.sleep(0)
        raise SystemExit(3)

    async def scene() -> None:
        assert isinstance((await stage.finish(author())).end, SystemExit)

    stage.play(scene)


def test_system_exit_in_a_child_does_not_stop_the_loop(stage: Stage) -> None:
    async def child() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    async def author() -> str:
        with pytest.raises(RuntimeError, match="SystemExit"):
            await asyncio.create_task(child())
        return "went on"

    async def scene() -> None:
        transactions = await stage.finish(author())
        assert transactions.end == "went on"
        assert isinstance(transactions.children[0].end, SystemExit)

    stage.play(scene)


def test_keyboard_interrupt_undoes_and_goes_on_to_the_operator(stage: Stage) -> None:
    async def author() -> None:
        stage.write(1)
        raise KeyboardInterrupt

    async def scene() -> None:
        me = asyncio.current_task()
        transactions = Transactions(stage)
        with pytest.raises(KeyboardInterrupt):
            stage.segments.run(author(), transactions)
        assert asyncio.current_task() is me
        assert transactions.undone == [[1]]

    stage.play(scene)


# ---------------------------------------------------------------- what the boundary refuses


def _refuse_once(value: object) -> Callable[[list[object]], bool]:
    left = [value]

    def refuse(writes: list[object]) -> bool:
        if left and left[0] in writes:
            left.clear()
            return True
        return False

    return refuse


@pytest.mark.parametrize("segment", [0, 1])
def test_a_refused_commit_is_raised_at_the_await(stage: Stage, segment: int) -> None:
    async def author() -> str:
        for _ in range(segment):
            await asyncio.sleep(0)
        stage.write("bad")
        try:
            await asyncio.sleep(60)
        except Refusal:
            stage.write("caught")
        await asyncio.sleep(0)
        return "went on"

    async def escapes() -> None:
        for _ in range(segment):
            await asyncio.sleep(0)
        stage.write("bad")
        await asyncio.sleep(60)

    async def scene() -> None:
        transactions = Transactions(stage)
        transactions.refuse_commit = _refuse_once("bad")
        task = stage.segments.run(author(), transactions)
        assert task is not None
        await task
        assert transactions.undone == [["bad"]]
        assert transactions.committed == [[]] * segment + [["caught"], []]
        assert transactions.end == "went on"

        transactions = Transactions(stage)
        transactions.refuse_commit = _refuse_once("bad")
        if task := stage.segments.run(escapes(), transactions):
            await task
        assert isinstance(transactions.end, Refusal)

    stage.play(scene)


def test_who_swallows_every_refusal_is_closed(stage: Stage) -> None:
    async def author() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except Refusal:
                continue

    async def scene() -> None:
        transactions = Transactions(stage)
        transactions.refuse_commit = lambda writes: True
        assert stage.segments.run(author(), transactions) is None
        assert isinstance(transactions.end, Refusal)

    stage.play(scene)


def test_a_refused_last_commit_is_an_error(stage: Stage) -> None:
    async def author() -> None:
        stage.write("bad")

    async def scene() -> None:
        transactions = Transactions(stage)
        transactions.refuse_commit = lambda writes: True
        assert stage.segments.run(author(), transactions) is None
        assert isinstance(transactions.end, Refusal)

    stage.play(scene)


def test_who_cannot_begin_is_closed(stage: Stage) -> None:
    closed: list[bool] = []

    async def author() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(stage.open is None)

    async def stubborn() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)

    async def scene() -> None:
        for coroutine in (author(), stubborn()):
            transactions = Transactions(stage)
            task = stage.segments.run(coroutine, transactions)
            transactions.refuse_begin = True
            assert task is not None
            await task
            assert isinstance(transactions.end, Refusal)
        never = Transactions(stage)
        never.refuse_begin = True
        assert stage.segments.run(author(), never) is None
        assert isinstance(never.end, Refusal)
        assert closed == [True]

    stage.play(scene)


@pytest.mark.parametrize("waits", [False, True])
def test_a_boundary_that_fails_harms_nobody_else(stage: Stage, waits: bool, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Transactions):
        def raised(self, error: BaseException) -> None:
            super().raised(error)
            raise RuntimeError("a bug of the host")

    async def author() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError

    async def scene() -> None:
        if task := stage.segments.run(author(), Broken(stage)):
            await task
        assert (await stage.finish(asyncio.sleep(0, "fine"))).end == "fine"

    with caplog.at_level(logging.ERROR, "promptgrimoire.segments"):
        stage.play(scene)
    assert "a bug of the host" in caplog.text


# ---------------------------------------------------------------- async generators


def test_the_host_steps_a_generator(stage: Stage) -> None:
    values: list[str] = []

    async def author() -> AsyncGenerator[str, None]:
        stage.write(1)
        yield "a"
        stage.write(2)
        await asyncio.sleep(0)
        stage.write(3)
        yield "b"
        stage.write(4)

    async def scene() -> None:
        transactions = await stage.finish(run_generator(author(), values.append))
        assert values == ["a", "b"]
        assert transactions.committed == [[1], [2], [3], [4]]
        assert transactions.end is None

    stage.play(scene)


def test_a_refused_commit_is_raised_at_the_yield(stage: Stage) -> None:
    values: list[str] = []

    async def author() -> AsyncGenerator[str, None]:
        stage.write("bad")
        try:
            yield "a"
        except Refusal:
            stage.write("caught")
            yield "b"

    async def scene() -> None:
        transactions = Transactions(stage)
        transactions.refuse_commit = _refuse_once("bad")
        task = stage.segments.run(run_generator(author(), values.append), transactions)
        assert task is not None
        await task
        assert values == ["a", "b"]
        assert transactions.undone == [["bad"]]
        assert transactions.committed == [["caught"], []]

    stage.play(scene)


def test_a_cancelled_stream_closes_its_generator(stage: Stage) -> None:
    async def author() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
                await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            stage.write("closed")

    async def scene() -> None:
        for steps in range(3):
            transactions, task = stage.run(run_generator(author(), lambda value: None))
            assert task is not None
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert isinstance(transactions.end, asyncio.CancelledError)
            assert transactions.undone == [["closed"]]

    stage.play(scene)


def test_a_generator_is_closed_when_a_value_cannot_be_delivered(stage: Stage) -> None:
    async def author() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            stage.write("closed")

    kept = author()

    def deliver(value: int) -> None:
        raise ValueError(value)

    async def scene() -> None:
        transactions = await stage.finish(run_generator(kept, deliver))
        assert isinstance(transactions.end, ValueError)
        assert transactions.undone == [["closed"]]

    stage.play(scene)


def test_generators_that_are_done_are_forgotten(stage: Stage) -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        yield 1

    async def author() -> int:
        total = 0
        for _ in range(50):
            total += sum([number async for number in numbers()])
            await asyncio.sleep(0)
        return total

    async def scene() -> None:
        assert (await stage.finish(author())).end == 50
        assert len(stage.segments._generators._contexts) < 5

    stage.play(scene)


def test_generators_of_the_framework_at_an_address_of_the_authors(stage: Stage) -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            assert stage.open is None or stage.writes == ["author"]

    async def author() -> int:
        stage.write("author")
        generator = numbers()
        addresses.add(id(generator))
        return sum([number async for number in generator])

    addresses: set[int] = set()

    async def scene() -> None:
        same = 0
        for _ in range(20):
            transactions = await stage.finish(author())
            generator = numbers()
            same += id(generator) in addresses
            await anext(generator)
            del generator
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert transactions.children == []
        assert same, "this Python never uses an address again; the test shows nothing"

    stage.play(scene)


def test_install_once_and_uninstall(stage: Stage) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        made: list[object] = []

        def theirs(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
            made.append(coroutine)
            return asyncio.Task(coroutine, loop=loop, **options)

        loop.set_task_factory(theirs)
        segments = Segments(loop)
        segments.install()
        with pytest.raises(RuntimeError, match="install"):
            segments.install()
        coroutine = _quick()
        await loop.create_task(coroutine)
        assert made == [coroutine]
        segments.uninstall()
        assert loop.get_task_factory() is theirs
        segments.install()
        segments.uninstall()

    stage.play(scene, install=False)
