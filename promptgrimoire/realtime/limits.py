"""Token buckets. Own no clock: time is passed in."""

from __future__ import annotations


class Bucket:
    """A token bucket: `rate` tokens per second, at most `burst`."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._since = now

    def take(self, now: float) -> bool:
        """Take one token; False where there is none. A clock that jumps back gives nothing and costs nothing."""
        elapsed = now - self._since
        self._since = now
        left = self._left
        if elapsed > 0:
            left += elapsed * self._rate
            if left > self._burst:
                left = self._burst
        if left < 1:
            self._left = left
            return False
        self._left = left - 1
        return True
