"""Async generators of author code: iterated in segments, and ended in the activity that began them.

Owns the event loop's hooks for async generators while installed, and passes everything on to those it found.
Never opens, commits or undoes a transaction.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncGenerator, Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any

_Generator = AsyncGenerator[Any, Any]


class AuthorGenerators:
    """Remembers the context in which author code first iterated a generator.

    A generator that is left by `break` or by an error is closed by the loop whenever Python drops it, possibly within
    framework code that has just let go of a traceback. Its `finally` is author code all the same, and needs
    transactions. `author` is the variable that is set (not None) where author code runs.
    """

    def __init__(self, author: ContextVar[Any]) -> None:
        self._author = author
        self._contexts: dict[int, tuple[weakref.ref[_Generator], Context]] = {}
        self._gone: list[int] = []
        self._first: Callable[[_Generator], None] | None = None
        self._final: Callable[[_Generator], None] | None = None
        self._installed = False

    def install(self) -> None:
        """Stand before the loop's own hooks. On the loop's thread, while it runs (it sets its hooks at its start)."""
        hooks = sys.get_asyncgen_hooks()
        self._first, self._final = hooks.firstiter, hooks.finalizer
        sys.set_asyncgen_hooks(firstiter=self._begun, finalizer=self._dropped)
        self._installed = True

    def uninstall(self) -> None:
        """Take back `install`. Generators begun in between still end properly."""
        if self._installed and sys.get_asyncgen_hooks().firstiter == self._begun:
            sys.set_asyncgen_hooks(firstiter=self._first, finalizer=self._final)
        self._installed = False

    def _begun(self, generator: _Generator) -> None:
        while self._gone:
            key = self._gone.pop()
            if key in self._contexts and self._contexts[key][0]() is None:
                del self._contexts[key]
        key = id(generator)
        self._contexts.pop(key, None)  # of an earlier one at the same address
        if self._author.get() is not None:
            # Python clears weak references just before it calls `_dropped`, so the entry has to outlive this one.
            self._contexts[key] = (weakref.ref(generator, lambda _: self._gone.append(key)), copy_context())
        if self._first is not None:
            self._first(generator)

    def _dropped(self, generator: _Generator) -> None:
        if self._final is None:
            return
        entry = self._contexts.pop(id(generator), None)
        if entry is None:
            self._final(generator)
        else:
            entry[1].run(self._final, generator)


async def run_generator(generator: AsyncGenerator[Any, None], deliver: Callable[[Any], None]) -> None:
    """Iterate an author's async generator; a coroutine for `segments.Segments.run`.

    `deliver` gets each value within the transaction that produced it, and each yield is a suspension, hence a commit;
    the generator's end is the last one. A refused commit, like a cancellation, is raised in the generator at its yield.
    The generator is closed in any case.
    """
    try:
        following = generator.asend(None)
        while True:
            try:
                value = await following
            except StopAsyncIteration:
                return
            deliver(value)
            try:
                await asyncio.sleep(0)
            except GeneratorExit:
                raise
            except BaseException as error:
                following = generator.athrow(error)
            else:
                following = generator.asend(None)
    finally:
        await generator.aclose()
