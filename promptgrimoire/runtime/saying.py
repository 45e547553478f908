"""What a transaction said, as the journal keeps it and as it is sent once that is stored. Never sends anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from promptgrimoire.authoring.messages import Leave, Notice, Volatile
from promptgrimoire.errors import TooLarge
from promptgrimoire.journal.entries import Send
from promptgrimoire.state.transaction import Said

Gathered = tuple[list[Send], list[bytes], list[tuple[Notice, bytes]]]


def gathered(said: Iterable[Said], most: int) -> Gathered:
    """Sends with their texts, in the order in which they were said; apart from them, what is volatile.

    Raises TooLarge for a text of more than `most` bytes.
    """
    sends: list[Send] = []
    texts: list[bytes] = []
    volatile: list[tuple[Notice, bytes]] = []
    for one in said:
        what = one.what
        if len(one.data) > most:
            raise too_large_to_send(_event_name(what), len(one.data), most)
        if isinstance(what, Notice):
            sends.append(Send(what.name, what.to, list(what.but), what.where, what.keep, what.sender))
            texts.append(one.data)
        elif isinstance(what, Volatile):
            volatile.append((what.notice, one.data))
        elif isinstance(what, Leave):
            sends.append(Send("!go", [what.player]))
            texts.append(one.data)
    return sends, texts, volatile


def too_large_to_send(what: str, size: int, limit: int) -> TooLarge:
    """The error for something that no browser could be sent."""
    # Beyond this a browser with a slow connection would be cut off, come back, be sent it again, and so on for ever.
    return TooLarge(
        f"{what} has {size:,} bytes as JSON; at most {limit:,} can be sent (the setting limits.outbox_bytes)."
        " Store what is large, and send where it is"
    )


def _event_name(what: Any) -> str:
    notice = what.notice if isinstance(what, Volatile) else what
    name = getattr(notice, "name", None)
    return "a notification" if name is None else f"the event {name!r}"
