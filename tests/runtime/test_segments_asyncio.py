"""asyncio inside author code: every scene is played by plain asyncio too, and must go the same way.

The scenes tell what happens by `tell`; in segments, that is a write, which needs an open transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any

import pytest

from tests.runtime.stage import LOOPS, Stage, Transactions

Tell = Callable[[object], None]
Scene = Callable[[Tell], Coroutine[Any, Any, object]]


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def _slow(tell: Tell, value: object = "slow") -> None:
    try:
        tell(f"{value} begins")
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        tell(f"{value} cancelled")
        raise
    finally:
        tell(f"{value} ends")


async def _quick(tell: Tell, value: object = "quick") -> object:
    tell(value)
    await asyncio.sleep(0)
    tell(value)
    return value


async def _fails(tell: Tell) -> None:
    await asyncio.sleep(0)
    tell("fails")
    raise ValueError("oops")


async def timeout_at_once(tell: Tell) -> None:
    try:
        async with asyncio.timeout(0):
            tell("in")
            await _slow(tell)
    except TimeoutError:
        tell("timeout")
    await asyncio.sleep(0)
    tell(_current().cancelling())


async def timeout_later(tell: Tell) -> None:
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(0.001):
            await _slow(tell)
    except TimeoutError:
        tell("timeout")


async def timeout_in_the_first_step_fires_later(tell: Tell) -> None:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(0)
            await _slow(tell)
    except TimeoutError:
        tell("timeout")


async def timeouts_nest(tell: Tell) -> None:
    try:
        async with asyncio.timeout(0.001):
            try:
                async with asyncio.timeout(50):
                    await _slow(tell)
            except TimeoutError:
                tell("the wrong one")
    except TimeoutError:
        tell("the right one")


async def timeout_without_waiting(tell: Tell) -> None:
    async with asyncio.timeout(0):  # noqa: ASYNC100 - that is what it is about
        tell("in")
    tell("out")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tell("not cancelled")


async def wait_for(tell: Tell) -> None:
    tell(await asyncio.wait_for(_quick(tell), 5))
    for limit in (0, 0.001):
        try:
            await asyncio.wait_for(_slow(tell), limit)
        except TimeoutError:
            tell("timeout")
    try:
        await asyncio.wait_for(_fails(tell), 5)
    except ValueError as error:
        tell(repr(error))


async def gather(tell: Tell) -> None:
    tell(await asyncio.gather(_quick(tell, 1), _quick(tell, 2), asyncio.sleep(0, 3)))
    tell(repr(await asyncio.gather(_fails(tell), _quick(tell), return_exceptions=True)))
    try:
        await asyncio.gather(_fails(tell), _quick(tell))
    except ValueError as error:
        tell(repr(error))


async def gather_first_thing_cancelled(tell: Tell) -> None:
    asyncio.get_running_loop().call_soon(_current().cancel)
    try:
        await asyncio.gather(_slow(tell, 1), _slow(tell, 2))
    except asyncio.CancelledError:
        tell("cancelled")
        raise


async def task_group(tell: Tell) -> None:
    async with asyncio.TaskGroup() as group:
        one = group.create_task(_quick(tell, 1), name="one")
        two = group.create_task(_quick(tell, 2))
    tell((one.get_name(), one.result(), two.result()))


async def task_group_fails(tell: Tell) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_fails(tell))
            group.create_task(_slow(tell))
            await _slow(tell, "body")
    except* ValueError as errors:
        tell(repr(errors.exceptions))
    await asyncio.sleep(0)
    tell(_current().cancelling())


async def task_group_whose_body_fails(tell: Tell) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_slow(tell))
            await asyncio.sleep(0)
            raise KeyError("body")
    except* KeyError as errors:
        tell(repr(errors.exceptions))


async def task_groups_nest(tell: Tell) -> None:
    async def inner() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_slow(tell, "inner"))
            group.create_task(_fails(tell))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_slow(tell, "outer"))
            group.create_task(inner())
    except* ValueError as errors:
        tell(repr(errors))


async def task_group_within_timeout(tell: Tell) -> None:
    try:
        async with asyncio.timeout(0.001), asyncio.TaskGroup() as group:
            group.create_task(_slow(tell))
    except TimeoutError:
        tell("timeout")


async def cancels_itself(tell: Tell) -> None:
    _current().cancel("message")
    try:
        tell("goes on until it waits")
        await asyncio.sleep(60)
    except asyncio.CancelledError as error:
        tell(error.args)
        tell(_current().cancelling())
        _current().uncancel()
    await asyncio.sleep(0)
    tell("went on")


async def cancels_itself_before_sleep_zero(tell: Tell) -> None:
    _current().cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        tell("cancelled")
        raise


async def cancels_itself_before_a_finished_future(tell: Tell) -> None:
    finished = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(finished.set_result, 1)
    asyncio.get_running_loop().call_soon(_current().cancel)
    try:
        await finished
        tell("not cancelled here")
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        tell("cancelled")


async def cancels_a_child(tell: Tell) -> None:
    for rounds in range(3):
        task = asyncio.create_task(_slow(tell))
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError:
            tell((task.cancelled(), _current().cancelling()))


async def child_refuses_to_be_cancelled(tell: Tell) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            tell("no")
        await asyncio.sleep(0)
        return "survived"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    task.cancel()
    tell(await task)


async def shield(tell: Tell) -> None:
    inner = asyncio.ensure_future(_quick(tell))
    try:
        async with asyncio.timeout(0):
            await asyncio.shield(inner)
    except TimeoutError:
        tell("timeout")
    tell(await inner)


async def event_lock_queue(tell: Tell) -> None:
    event, lock, queue = asyncio.Event(), asyncio.Lock(), asyncio.Queue[int](maxsize=1)

    async def producer() -> None:
        await event.wait()
        for number in range(4):
            async with lock:
                tell(("put", number))
                await asyncio.sleep(0)
            await queue.put(number)

    async def consumer() -> None:
        for _ in range(4):
            number = await queue.get()
            async with lock:
                tell(("got", number))

    async with asyncio.TaskGroup() as group:
        group.create_task(producer())
        group.create_task(consumer())
        await asyncio.sleep(0)
        event.set()


async def condition_and_semaphore(tell: Tell) -> None:
    condition, semaphore = asyncio.Condition(), asyncio.Semaphore(1)
    ready: list[int] = []

    async def waits() -> None:
        async with condition:
            await condition.wait_for(lambda: bool(ready))
            tell("ready")

    async with asyncio.TaskGroup() as group:
        group.create_task(waits())
        await asyncio.sleep(0)
        async with semaphore, condition:
            ready.append(1)
            condition.notify_all()


async def threads(tell: Tell) -> None:
    tell(await asyncio.to_thread(lambda: 42))
    loop = asyncio.get_running_loop()

    def from_thread() -> object:
        return asyncio.run_coroutine_threadsafe(_quick(tell, "asked for by a thread"), loop).result(10)

    tell(await asyncio.to_thread(from_thread))


async def async_with_and_finally(tell: Tell) -> None:
    @asynccontextmanager
    async def room() -> AsyncGenerator[str, None]:
        tell("enter")
        await asyncio.sleep(0)
        try:
            yield "room"
        finally:
            await asyncio.sleep(0)
            tell("leave")

    async with room() as name:
        tell(name)
    with contextlib.suppress(ValueError):
        async with room():
            raise ValueError
    try:
        async with asyncio.timeout(0), room():
            await asyncio.sleep(60)
    except TimeoutError:
        tell("timeout")


async def _numbers(tell: Tell) -> AsyncGenerator[int, None]:
    try:
        for number in range(5):
            await asyncio.sleep(0)
            yield number
    finally:
        await asyncio.sleep(0)
        tell("closed")


async def generators(tell: Tell) -> None:
    tell([number async for number in _numbers(tell)])
    async with aclosing(_numbers(tell)) as numbers:
        async for number in numbers:
            if number == 2:
                break
    generator = _numbers(tell)
    tell(await anext(generator))
    tell(await generator.asend(None))
    with contextlib.suppress(ValueError):
        await generator.athrow(ValueError())


async def generator_left_by_break(tell: Tell) -> None:
    async for number in _numbers(tell):
        if number == 2:
            break
    await asyncio.sleep(0.005)  # the loop closes it meanwhile
    tell("after")


async def wait_and_as_completed(tell: Tell) -> None:
    tasks = [asyncio.create_task(_quick(tell, number)) for number in range(3)]
    done, pending = await asyncio.wait(tasks)
    tell((len(done), len(pending)))
    for nearest in asyncio.as_completed([_quick(tell) for _ in range(3)]):
        await nearest
    tell("all")


async def callbacks(tell: Tell) -> None:
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[object]] = []
    loop.call_soon(lambda: tasks.append(loop.create_task(_quick(tell, "made by a callback"))))
    await asyncio.sleep(0.001)
    tell(await tasks[0])


async def grandchildren(tell: Tell) -> None:
    async def child(depth: int) -> int:
        tell(depth)
        await asyncio.sleep(0)
        return depth if depth == 0 else sum(await asyncio.gather(child(depth - 1), child(depth - 1)))

    tell(await child(3))


async def a_child_that_outlives_its_parent(tell: Tell) -> object:
    task = asyncio.create_task(_quick(tell))
    return task  # held by whoever gets it


async def a_future_that_is_done_before_the_second_step(tell: Tell) -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_exception, ValueError("late"))
    try:
        await future
    except ValueError as error:
        tell(repr(error))


class _Waits:
    """Awaits its value the wrong way: yielded as it is."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Any:
        yield self.value


async def waits_for_nonsense(tell: Tell) -> None:
    elsewhere = asyncio.new_event_loop()
    for nonsense in (_Waits(5), _Waits(asyncio.get_running_loop().create_future()), elsewhere.create_future()):
        await _told(tell, nonsense)
    elsewhere.close()


async def waits_for_a_future_of_another_loop(tell: Tell) -> None:
    elsewhere = asyncio.new_event_loop()
    await _told(tell, elsewhere.create_future())
    elsewhere.close()


async def waits_for_a_future_that_is_yielded(tell: Tell) -> None:
    await _told(tell, _Waits(asyncio.get_running_loop().create_future()))


async def waits_for_itself(tell: Tell) -> None:
    await _told(tell, _current())


async def _told(tell: Tell, nonsense: Any) -> None:
    try:
        await nonsense
    except RuntimeError as error:
        tell([word for word in str(error).split() if word.islower() and word.isalpha()])


async def cancelled_and_uncancelled_from_outside(tell: Tell) -> None:
    me = _current()
    for waiting in (0, 0.001):

        def both() -> None:
            me.cancel()
            me.uncancel()

        asyncio.get_running_loop().call_soon(both)
        try:
            await asyncio.sleep(waiting)
            tell("nothing happened")
        except asyncio.CancelledError:
            tell("cancelled")


SCENES: list[Scene] = [
    timeout_at_once,
    timeout_later,
    timeout_in_the_first_step_fires_later,
    timeouts_nest,
    timeout_without_waiting,
    wait_for,
    gather,
    gather_first_thing_cancelled,
    task_group,
    task_group_fails,
    task_group_whose_body_fails,
    task_groups_nest,
    task_group_within_timeout,
    cancels_itself,
    cancels_itself_before_sleep_zero,
    cancels_itself_before_a_finished_future,
    cancels_a_child,
    child_refuses_to_be_cancelled,
    shield,
    event_lock_queue,
    condition_and_semaphore,
    threads,
    async_with_and_finally,
    generators,
    generator_left_by_break,
    wait_and_as_completed,
    callbacks,
    grandchildren,
    a_child_that_outlives_its_parent,
    a_future_that_is_done_before_the_second_step,
    waits_for_nonsense,
    waits_for_a_future_of_another_loop,
    waits_for_a_future_that_is_yielded,
    waits_for_itself,
    cancelled_and_uncancelled_from_outside,
]


@pytest.fixture(params=LOOPS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(LOOPS[request.param])


def _plainly(scene: Scene, factory: Callable[[], asyncio.AbstractEventLoop]) -> tuple[list[object], str]:
    told: list[object] = []

    async def main() -> str:
        # A task, because a call may be cancelled as a whole.
        task = asyncio.create_task(scene(told.append))
        await asyncio.wait([task])
        await _rest()
        return "cancelled" if task.cancelled() else "returned"

    with asyncio.Runner(loop_factory=factory) as runner:
        return told, runner.run(main())


async def _rest() -> None:
    others = asyncio.all_tasks() - {_current()}
    if others := {task for task in others if "segments of None" not in repr(task.get_coro())}:
        await asyncio.wait(others)


@pytest.mark.parametrize("position", ["new", "parked", "second step"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_goes_as_in_plain_asyncio(stage: Stage, scene: Scene, position: str) -> None:
    """With a task that has never run, with a parked one, and not from the first step on."""
    expected, end = _plainly(scene, stage.factory)
    told: list[object] = []
    transactions: list[Transactions] = []

    def tell(value: object) -> None:
        stage.write(value)
        told.append(value)

    async def later() -> object:
        await asyncio.sleep(0)
        return await scene(tell)

    async def nothing() -> None:
        pass

    async def play() -> None:
        if position == "parked":
            stage.run(nothing())
            await asyncio.sleep(0)
        transactions.append(await stage.finish(later() if position == "second step" else scene(tell)))
        await _rest()

    stage.play(play)
    assert told == expected
    assert ("cancelled" if isinstance(transactions[0].end, asyncio.CancelledError) else "returned") == end
    assert _written(transactions[0]) == sorted(map(repr, told))


def _written(transactions: Transactions) -> list[str]:
    """What was written by an activity and all its children, committed or undone."""
    own = [repr(value) for writes in transactions.committed + transactions.undone for value in writes]
    return sorted(own + [value for child in transactions.children for value in _written(child)])


# ---------------------------------------------------------------- children


def test_children_have_transactions_of_their_own(stage: Stage) -> None:
    async def child(value: int) -> int:
        stage.write(value)
        await asyncio.sleep(0)
        stage.write(-value)
        if value == 2:
            raise ValueError
        return value

    async def author() -> object:
        stage.write("parent")
        return await asyncio.gather(child(1), child(2), return_exceptions=True)

    async def scene() -> None:
        transactions = await stage.finish(author())
        one, two = transactions.children
        assert transactions.committed == [["parent"], []]
        assert one.committed == [[1], [-1]]
        assert (two.committed, two.undone) == ([[2]], [[-2]])
        assert one.end == 1
        assert isinstance(two.end, ValueError)

    stage.play(scene)


def test_tasks_of_the_framework_are_left_alone(stage: Stage) -> None:
    """With an empty context, also from within an author's step; and everything outside of author code."""
    made: list[asyncio.Task[None]] = []

    async def framework() -> None:
        assert stage.open is None

    async def author() -> None:
        made.append(asyncio.get_running_loop().create_task(framework(), context=Context(), name="framework"))

    async def scene() -> None:
        transactions = await stage.finish(author())
        made.append(asyncio.get_running_loop().create_task(framework()))
        await asyncio.gather(*made)
        assert transactions.children == []
        assert made[0].get_name() == "framework"
        assert asyncio.iscoroutine(made[1].get_coro())
        assert "segments" not in repr(made[1].get_coro())

    stage.play(scene)


def test_a_child_looks_like_the_authors_coroutine(stage: Stage) -> None:
    async def child() -> None:
        await asyncio.sleep(0)

    async def author() -> None:
        task = asyncio.create_task(child(), name="market closes")
        assert task.get_name() == "market closes"
        assert "child" in repr(task)
        assert "test_segments_asyncio.py" in repr(task)
        task.print_stack(file=sys.stderr)
        await task

    async def scene() -> None:
        assert (await stage.finish(author())).end is None

    stage.play(scene)


def test_contexts_given_to_children_are_left_as_they_were(stage: Stage) -> None:
    mood: ContextVar[str] = ContextVar("mood")

    async def child(name: str) -> None:
        stage.write(name)
        mood.set(name)
        await asyncio.gather(grandchild(name))

    async def grandchild(name: str) -> None:
        stage.write(f"of {name}")

    async def author() -> None:
        shared = copy_context()
        loop = asyncio.get_running_loop()
        one = loop.create_task(child("one"), context=shared)
        two = loop.create_task(child("two"), context=shared)
        await one
        await two
        assert shared[mood] == "two"
        await loop.create_task(grandchild("nobody"), context=shared)

    async def scene() -> None:
        transactions = await stage.finish(author())
        assert transactions.end is None
        one, two, three = transactions.children
        assert [child.children[0].committed for child in (one, two)] == [[["of one"]], [["of two"]]]
        assert three.committed == [["of nobody"]]

    stage.play(scene)


def test_a_generator_dropped_with_an_error_is_closed_in_a_transaction(stage: Stage) -> None:
    """Its last reference is the traceback, which the framework lets go of."""

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            stage.write("closed")
            await asyncio.sleep(0)
            stage.write("really")

    async def author(wait: bool) -> None:
        if wait:
            await asyncio.sleep(0)
        generator = numbers()
        async for _ in generator:
            raise ValueError

    async def scene() -> None:
        for wait in (False, True):
            transactions = await stage.finish(author(wait))
            assert isinstance(transactions.ends.pop(), ValueError)  # dropped here
            for _ in range(5):
                await asyncio.sleep(0)
            (child,) = transactions.children
            assert child.committed == [["closed"], ["really"]]

    stage.play(scene)


def test_an_eager_child_begins_within_the_transaction_of_its_parent(stage: Stage) -> None:
    if sys.version_info < (3, 12):
        return  # nothing starts eagerly there; a skip would be a failure with CI=true

    async def child(wait: bool) -> str:
        stage.write("eager")
        if wait:
            await asyncio.sleep(0)
            stage.write("later")
        return "child"

    async def author(wait: bool) -> None:
        stage.write("before")
        loop = asyncio.get_running_loop()
        factory: Any = loop.get_task_factory()
        create = functools.partial(factory, loop)
        task = create(child(wait), eager_start=True, name="eager")
        assert asyncio.current_task() is not task
        assert task.get_name() == "eager"
        stage.write("after")
        assert task.done() is not wait
        assert await task == "child"

    async def scene() -> None:
        transactions = await stage.finish(author(False))
        assert transactions.end is None
        assert transactions.committed == [["before", "eager", "after"]]
        transactions = await stage.finish(author(True))
        assert transactions.end is None
        assert transactions.committed == [["before", "eager", "after"], []]
        assert transactions.children[0].committed == [["later"]]

    stage.play(scene)


def test_a_child_that_is_refused_leaves_nothing_behind(stage: Stage) -> None:
    """No boundary for it: the error is raised where the task is made, and its coroutine is closed."""

    class Childless(Transactions):
        def child(self) -> Transactions:
            raise RuntimeError("no more tasks")

    async def author() -> None:
        with pytest.raises(RuntimeError, match="no more tasks"):
            asyncio.create_task(asyncio.sleep(0))  # noqa: RUF006 - there will be none

    async def scene() -> None:
        transactions = Childless(stage)
        stage.segments.run(author(), transactions)
        assert transactions.end is None

    stage.play(scene)
