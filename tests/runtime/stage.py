"""A small host for author coroutines: transactions that are checked, on asyncio's loop and on uvloop's.

Owns no mechanism of the driver; stands in for `runtime.host` in the tests of `runtime.segments`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from promptgrimoire.runtime.segments import Segments

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Refusal(Exception):
    """A commit that the boundary refuses."""


class Transactions:
    """A boundary that insists on being called as promised and notes what is committed and undone.

    `committed` holds one list of writes per commit, `undone` one per undone segment, `ends` how activities ended.
    """

    def __init__(self, stage: Stage, name: str = "call") -> None:
        self.stage = stage
        self.name = name
        self.committed: list[list[object]] = []
        self.undone: list[list[object]] = []
        self.ends: list[object] = []
        self.children: list[Transactions] = []
        self.refuse_commit: Callable[[list[object]], bool] = lambda writes: False
        self.refuse_begin = False

    def begin(self) -> None:
        if self.refuse_begin:
            raise Refusal("no more transactions")
        assert self.stage.open is None, f"{self.name} begins while {self.stage.open} is open"
        self.stage.open = self
        self.stage.writes = []

    def _close(self) -> list[object]:
        assert self.stage.open is self
        self.stage.open = None
        return self.stage.writes

    def _commit(self) -> None:
        writes = self._close()
        if self.refuse_commit(writes):
            self.undone.append(writes)
            raise Refusal(f"not storable: {writes}")
        self.committed.append(writes)

    def suspended(self) -> None:
        self._commit()

    def returned(self, value: object) -> None:
        assert not self.ends
        self._commit()
        self.ends.append(value)

    def raised(self, error: BaseException) -> None:
        assert not self.ends
        if self.stage.open is self:
            self.undone.append(self._close())
        self.ends.append(error)

    def child(self) -> Transactions:
        self.children.append(Transactions(self.stage, f"{self.name}/{len(self.children)}"))
        return self.children[-1]

    @property
    def end(self) -> Any:
        (end,) = self.ends
        return end


class Stage:
    """One loop with its segments. `play` runs a test on it; `write` is what author code does."""

    segments: Segments

    def __init__(self, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.factory = factory
        self.open: Transactions | None = None
        self.writes: list[object] = []
        self.complaints: list[dict[str, Any]] = []

    def play(self, scene: Callable[[], Coroutine[Any, Any, None]], *, install: bool = True) -> None:
        """Run the scene on a new loop with segments. No transaction stays open, the loop complains of nothing."""

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, complaint: self.complaints.append(complaint))
            self.segments = Segments(loop)
            if install:
                self.segments.install()
            async with asyncio.timeout(20):
                await scene()
            assert self.open is None
            if install:
                self.segments.uninstall()

        with asyncio.Runner(loop_factory=self.factory) as runner:
            runner.run(main())
        assert self.complaints == []

    def write(self, value: object) -> None:
        assert self.open is not None, f"{value!r} is written with no transaction open"
        self.writes.append(value)

    def run(self, coroutine: Coroutine[Any, Any, object]) -> tuple[Transactions, asyncio.Task[None] | None]:
        """One call."""
        transactions = Transactions(self)
        task = self.segments.run(coroutine, transactions)
        assert self.open is None
        return transactions, task

    async def finish(self, coroutine: Coroutine[Any, Any, object]) -> Transactions:
        """One call, waited for."""
        transactions, task = self.run(coroutine)
        if task is not None:
            await asyncio.wait([task])
        return transactions
