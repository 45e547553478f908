"""Every message that crosses the websocket, as tagged msgspec structs. No I/O.

The same messages are written down for other languages in `docs/protocol.md`; `tests/frames.json` holds examples
that the Python and the JavaScript tests both read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

VERSION = 1
DEEPEST = 100  # levels of lists and objects in one frame
UNREADABLE = msgspec.Raw(b'["')
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')

# ------------------------------------------------------------------ browser to server

Nonce = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
"""A name that the browser has made up. Tables are kept by it, hence the bound."""


class Adopted(msgspec.Struct, frozen=True):
    """Calls of a document that this tab showed before it was reloaded, and that have not settled."""

    document: Nonce
    pending: list[int]


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """First message on every connection.

    `base` is the `seq` as of which the page was rendered, `handled` the `seq` up to which this document has
    handled events (at least `base`), `kept` the ids of kept events that this player's tab has handled, `pending` the
    numbers of this document's calls that have not settled, `next` the number that its next call will have. `connection`
    counts the connections that this document has begun: of two hellos, the one with the lower number is out of date.
    """

    version: int
    stay: int
    document: Nonce
    base: int
    handled: int
    tab: Annotated[str, msgspec.Meta(max_length=64)] = ""
    pending: list[int] = []
    next: int = 1
    kept: list[str] = []
    adopts: list[Adopted] = []
    connection: int = 0


class Call(msgspec.Struct, tag="call", frozen=True):
    """Call live method `method` with `args` (an array). Numbered 1, 2, ... per document.

    All calls up to `done` have settled in the browser. `document` is given only for an adopted call.
    A volatile call has `n` 0: it gets no reply.
    """

    n: int
    method: str
    args: msgspec.Raw = msgspec.Raw(b"[]")
    done: int = 0
    handled: int = 0
    document: str = ""


class Handled(msgspec.Struct, tag="handled", frozen=True):
    """Events up to `seq`, and the kept events with these ids, have been handled."""

    seq: int
    kept: list[str] = []


class Here(msgspec.Struct, tag="here", frozen=True):
    state: Literal["active", "idle", "hidden"]


class Ping(msgspec.Struct, tag="ping", frozen=True):
    """Answered with `pong`; `sent` comes back unchanged."""

    sent: float = 0.0


Incoming = Hello | Call | Handled | Here | Ping

# ------------------------------------------------------------------ server to browser


class Welcome(msgspec.Struct, tag="welcome", frozen=True):
    """Answer to `hello`. `clock` is the server's time (seconds since 1970), `seq` the newest entry that is durable.

    `ping` is the number of seconds between two pings. With `resync` true the document missed events that are no longer
    held: it must start afresh.
    """

    version: int
    clock: float
    seq: int
    ping: float = 20.0
    resync: bool = False


class Reply(msgspec.Struct, tag="reply", frozen=True):
    n: int
    ok: Any
    document: str = msgspec.UNSET  # type: ignore[assignment]  # an adopted call's


ErrorCode = Literal[
    "reject",  # the author's own text
    "arguments",  # wrong arguments; the method did not run
    "unknown",  # no such live method on this page
    "stale",  # the page that called is over
    "rate",  # too many calls
    "large",  # too large
    "error",  # an exception in author code; `id` is the reference id
    "interrupted",  # the server stopped while the method was waiting for something
    "deadline",  # the method took longer than its deadline
    "gap",  # a call is missing before this one
    "busy",  # storage is not available, or too many calls wait
]


class Error(msgspec.Struct, tag="error", frozen=True, omit_defaults=True):
    """The outcome of a call that gave no result, or (with `n` 0) what is wrong with a frame."""

    n: int
    code: str
    message: str
    id: str = ""
    document: str = ""


class Event(msgspec.Struct, tag="event", frozen=True, omit_defaults=True):
    """`name` is null for unnamed notifications; `keep` is a kept event's id."""

    name: str | None
    data: Any
    keep: str = ""


class Go(msgspec.Struct, tag="go", frozen=True, omit_defaults=True):
    """Leave this document: `reload` (the player's page is another now), or go to `url`."""

    to: Literal["reload", "url"]
    url: str = ""


class Message(msgspec.Struct, tag="message", frozen=True):
    """A text from the researcher, shown to the participant."""

    text: str


class Bye(msgspec.Struct, tag="bye", frozen=True):
    reason: Literal["takeover", "refused", "slow", "flood", "shutdown", "version", "gone", "storage"]


class Pong(msgspec.Struct, tag="pong", frozen=True):
    sent: float
    clock: float


Outgoing = Welcome | Reply | Error | Event | Go | Message | Bye | Pong


class Frame(msgspec.Struct, frozen=True):
    """What one commit means for one browser: state first, then events in order, then the reply.

    `seq` is 0 for what belongs to no commit (`welcome`, `pong`, `bye`, errors about frames, volatile events).
    """

    seq: int
    messages: list[Outgoing | msgspec.Raw]


class CloseCode:
    """Websocket close codes of this protocol (4000-4999 is the private range)."""

    UNKNOWN_TOKEN = 4404
    SLOW = 4008
    FLOOD = 4029
    VERSION = 4010
    TAKEOVER = 4009
    HELLO = 4001  # the first message was not a hello, or none came in time


decode: Callable[[str | bytes], Incoming] = msgspec.json.Decoder(Incoming).decode
"""Raises msgspec.ValidationError or msgspec.DecodeError with a path (`$.args: ...`)."""

encode: Callable[[Frame | Outgoing], bytes] = msgspec.json.Encoder(decimal_format="number").encode


def salvage(text: str | bytes) -> Call | None:
    """The call in a frame that `decode` refuses (half a character, NaN, too deeply nested), so that it can be answered.

    Its arguments are such that nothing accepts them. None where there is no numbered call in it.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("type") != "call":
        return None
    try:
        kept = {name: found[name] for name in ("type", "n", "done", "handled", "document") if name in found}
        call = msgspec.convert({**kept, "method": ""}, Call)
        call.document.encode()
    except (msgspec.ValidationError, UnicodeError):
        return None
    if call.n <= 0:
        return None
    method = found.get("method")
    named = method if isinstance(method, str) and method.isascii() else ""
    return Call(call.n, named, UNREADABLE, call.done, call.handled, call.document)


def too_deep(text: str | bytes) -> bool:
    """Whether lists and objects are nested so deeply that what stores and reads them would give up."""
    if len(text) <= 2 * DEEPEST:  # each level takes two characters
        return False
    brackets = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if brackets <= DEEPEST:
        return False
    plain = text if isinstance(text, str) else text.decode()
    depth = 0
    for found in _BRACKETS.finditer(plain):
        if found[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif found[0] in "]}":
            depth -= 1
    return False


class FrameText(str):
    """The text of one frame. What goes over the wire is made once, whoever gets it."""

    __slots__ = ("on_wire",)
    on_wire: bytes  # as an unmasked websocket text frame (RFC 6455, 5.2)


def _on_wire(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def frame(seq: int, messages: list[bytes]) -> FrameText:
    """The text of one frame from messages that are already encoded."""
    payload = b'{"seq":%d,"messages":[%b]}' % (seq, messages[0] if len(messages) == 1 else b",".join(messages))
    text = FrameText(payload, "utf-8")
    text.on_wire = _on_wire(payload)
    return text
