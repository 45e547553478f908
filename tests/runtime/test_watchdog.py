"""The watchdog, with its clock moved by hand and once with its thread."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from promptgrimoire.runtime.watchdog import Watchdog


class Bench:
    """A watchdog whose clock stands still."""

    def __init__(self, limit: float = 0.25) -> None:
        self.now = 1000.0
        self.watchdog = Watchdog(limit, is_author=lambda file: file == __file__, clock=lambda: self.now)


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "promptgrimoire.watchdog")


def test_idle_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.now += 100
    bench.watchdog.sample()
    assert caplog.messages == []


def test_who_is_in_time_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for _ in range(10):  # long in all, each short
        bench.watchdog.enter("Market.buy")
        bench.now += 0.2
        bench.watchdog.sample()
        bench.watchdog.leave()
        bench.now += 0.2
        bench.watchdog.sample()
    assert caplog.messages == []


def test_evidence_19_hook_file_and_line_are_named_once_and_the_total_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()

    def hook() -> int:
        bench.watchdog.enter("Market.buy of player 3")
        for _ in range(5):
            bench.now += 0.2
            bench.watchdog.sample()
        return hook.__code__.co_firstlineno + 4

    line = hook()
    (first,) = caplog.messages
    assert "Market.buy of player 3" in first
    assert "400 ms" in first
    assert f"{__file__}:{line} in test_evidence_19_hook" in first
    assert "in_thread" in first
    bench.now += 1
    bench.watchdog.leave()
    assert "Market.buy of player 3 held the event loop for 2000 ms" in caplog.messages[1]
    bench.watchdog.sample()
    bench.watchdog.enter("Market.sell")
    bench.watchdog.leave()
    assert len(caplog.messages) == 2


def test_each_episode_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for _ in range(2):
        bench.watchdog.enter("Market.buy")
        bench.now += 0.3
        bench.watchdog.sample()
        bench.watchdog.leave()
    assert len(caplog.messages) == 4


def test_left_just_while_it_was_reported(caplog: pytest.LogCaptureFixture) -> None:
    """`leave` looks, then the sampler reports: the next look finishes the episode."""
    bench = Bench()
    bench.watchdog.enter("Market.buy")
    bench.now += 0.3
    bench.watchdog.sample()
    bench.watchdog._label = None  # what is left of leave() in that race
    bench.watchdog.sample()
    bench.watchdog.sample()
    assert len(caplog.messages) == 2
    assert "in all" in caplog.messages[1]


def test_the_limit_can_be_set(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(limit=2)
    bench.watchdog.enter("Market.buy")
    bench.now += 1.9
    bench.watchdog.sample()
    assert caplog.messages == []
    bench.now += 0.2
    bench.watchdog.sample()
    assert len(caplog.messages) == 1
    with pytest.raises(ValueError, match="above 0"):
        Watchdog(0)


def test_without_a_line_of_an_experiment_the_innermost_is_named(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.watchdog._is_author = lambda file: False
    bench.watchdog.enter("Market.buy")
    bench.now += 1
    bench.watchdog.sample()
    assert "watchdog.py:" in caplog.messages[0]


def test_evidence_19_the_thread_sees_the_line_that_blocks(caplog: pytest.LogCaptureFixture) -> None:
    """The whole of it: a thread of its own looks into a thread that is busy."""
    watchdog = Watchdog(0.02, is_author=lambda file: file == __file__)
    watchdog.start()
    with pytest.raises(RuntimeError, match="running"):
        watchdog.start()
    watchdog.enter("Market.buy")
    deadline = time.monotonic() + 20
    while not caplog.messages and time.monotonic() < deadline:
        _compute()
    watchdog.leave()
    watchdog.stop()
    assert "_compute" in caplog.messages[0] or "test_evidence_19_the_thread_sees" in caplog.messages[0]
    assert "in all" in caplog.messages[1]
    assert [thread.name for thread in threading.enumerate() if "watchdog" in thread.name] == []


def _compute() -> int:
    return sum(number * number for number in range(10_000))
