"""Who is told what: live documents, what each has not handled yet, kept events, resuming.

Decides nothing about state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from promptgrimoire.authoring.messages import Notice
from promptgrimoire.errors import JournalUnavailable
from promptgrimoire.journal.entries import Send
from promptgrimoire.realtime.calls import CallTable, addressed
from promptgrimoire.realtime.outbox import Document, Outbox, Sink
from promptgrimoire.realtime.protocol import VERSION, Bye, CloseCode, FrameText, Hello, Welcome, encode, frame
from promptgrimoire.runtime.mail import SHED, TABLES_PER_PLAYER, Mail
from promptgrimoire.runtime.recent import PAGE, Recent, messages_of

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.deliveries")


class Delivery:
    """What one commit means for browsers: per document its messages; one of them may also get a reply."""

    __slots__ = ("batches", "reply", "replying", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.batches: list[tuple[Iterable[Document], FrameText, list[bytes]]] = []
        self.replying: Document | None = None
        self.reply: bytes = b""

    def go(self) -> None:
        """Everything is durable: out with it. Whoever is not connected finds it in their outbox."""
        seq = self.seq
        replying = self.replying
        for documents, text, messages in self.batches:
            for document in documents:
                sink = document.sink
                if document is replying:
                    self.replying = None
                    if sink is not None:
                        document.sent = max(document.sent, seq)
                        sink.send(frame(seq, [*messages, self.reply]))
                elif sink is not None and document.sent < seq:
                    document.sent = seq
                    sink.send(text)
        if self.replying is not None:
            _reply(seq, self.replying, self.reply)


class Deliveries:
    """The documents of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._limits = host.limits
        self.mail: dict[int, Mail] = {}
        self.documents: dict[int, dict[str, Document]] = {}  # player -> live documents by nonce
        self._places: dict[tuple[str, int], dict[Document, None]] = {}
        self._connected: dict[Document, None] = {}  # also those whose stay is over
        self.recent = Recent(host.journal, host.id, host.chain.seq)

    def of(self, player: int) -> Mail:
        mail = self.mail.get(player)
        if mail is None:
            mail = self.mail[player] = Mail()
        return mail

    def live(self, player: int) -> Iterable[Document]:
        return self.documents.get(player, {}).values()

    # ---------------------------------------------------------------- what commits say

    def committed(
        self, seq: int, sends: list[Send], texts: list[bytes], answering: tuple[Document, bytes] | None
    ) -> Callable[[], None]:
        """Put an entry's messages into the outboxes; gives what to send once it is durable.

        `answering` is the document whose call has ended with this entry, and the reply: it goes after the events, in
        their frame.
        """
        if not sends and answering is not None:
            return partial(_reply, seq, *answering)
        delivery = Delivery(seq)
        if answering is not None:
            delivery.replying, delivery.reply = answering
        if len(sends) == 1:
            documents = self._recipients(sends[0])
            messages = [self._message(seq, 0, sends[0], texts[0])]
            self._post(delivery, documents, messages)
        else:
            gathered: dict[Document, list[bytes]] = {}
            for index, (send, text) in enumerate(zip(sends, texts, strict=True)):
                message = self._message(seq, index, send, text)
                for document in self._recipients(send):
                    gathered.setdefault(document, []).append(message)
            alike: dict[tuple[int, ...], tuple[list[Document], list[bytes]]] = {}
            for document, messages in gathered.items():
                alike.setdefault(tuple(map(id, messages)), ([], messages))[0].append(document)
            for documents, messages in alike.values():
                self._post(delivery, documents, messages)
        return delivery.go

    def _post(self, delivery: Delivery, documents: list[Document], messages: list[bytes]) -> None:
        text = frame(delivery.seq, messages)
        events, size, seq = self._limits.outbox_events, self._limits.outbox_bytes, delivery.seq
        for document in documents:
            document.outbox.add(seq, text, events, size)
        delivery.batches.append((documents, text, messages))

    def _message(self, seq: int, index: int, send: Send, text: bytes) -> bytes:
        self.recent.add(seq, send, text)
        keep = f"{seq}.{index}" if send.keep else ""
        message = event_message(send, text, keep)
        if keep:
            for player in range(1, len(self._host.state.everybody) + 1) if send.to is None else send.to:
                if player not in send.but:
                    if self.of(player).keep(keep, seq, message, self._limits) == 1:
                        log.warning("session %s, player %d: too many kept events wait: %s", self._host.id, player, SHED)
                    self._host.changed.add(f"~p{player}")
        return message

    def _recipients(self, send: Send) -> list[Document]:
        if send.to is not None:
            where = send.where
            return [
                document
                for player in send.to
                for document in self.live(player)
                if send.keep or where is None or document.place == where
            ]
        if send.where is not None and not send.keep:
            here: Iterable[Document] = self._places.get(send.where, ())
        else:
            here = (document for documents in self.documents.values() for document in documents.values())
        if not send.but:
            return list(here)
        but = send.but
        return [document for document in here if document.player not in but]

    def volatile(self, notice: Notice, data: bytes) -> Callable[[], None]:
        """Nothing stored; for whoever is slow, the newest of each event and sender is all that waits."""
        send = Send(notice.name, notice.to, list(notice.but), notice.where)
        documents = self._recipients(send)
        text = frame(0, [event_message(send, data, "")])

        def go() -> None:
            for document in documents:
                if document.sink is not None:
                    document.sink.send_latest((notice.name, notice.sender), text)

        return go

    # ---------------------------------------------------------------- documents

    async def hello(self, player: int, sink: Sink, hello: Hello) -> Document | None:
        """A document said hello: give it all that it has not handled. None where it cannot stay (it has been told)."""
        host = self._host
        if hello.version != VERSION:
            sink.send(frame(0, [encode(Bye("version"))]))
            sink.close(CloseCode.VERSION, f"this server speaks version {VERSION}")
            return None
        if host.failure is not None or host.closing:
            raise JournalUnavailable(str(host.failure or "this server is stopping"))
        mail = self.of(player)
        table = mail.table(hello.document, hello.stay, min(hello.pending, default=hello.next))
        if _late(hello, table, sink):
            return None
        table.connection = hello.connection
        table.resume(hello.pending, hello.next)
        document = await self._recognise(player, hello, table)
        if _late(hello, table, sink):
            return None
        table.owner = document
        document.calls = table
        document.tab = hello.tab
        self._adopt(mail, document, hello)
        # Everything that is committed from here on finds this document; what was before is in its outbox.
        resync = document.outbox.short_of(document.handled)
        if resync:
            document.outbox = Outbox(host.chain.seq)
        document.greeting += 1
        try:
            await host.durable()
        finally:
            document.greeting -= 1
        if host.closing:  # meanwhile: nobody would answer here
            raise JournalUnavailable("this session is being put away")
        if _late(hello, table, sink):
            return None
        if document.sink is not None and document.sink is not sink:
            document.sink.close(CloseCode.TAKEOVER, "this document has another connection")
        document.sink = sink
        self._connected[document] = None
        self._welcome(document, sink, hello, resync)
        return document

    async def _recognise(self, player: int, hello: Hello, table: CallTable) -> Document:
        """The document that says hello: one that is known, or a new one with what it has missed."""
        document = self.documents.get(player, {}).get(hello.document)
        if document is not None:
            self.handled(document, hello.handled)
            return document
        about = self._host.state.player(player)._about
        place = about.get("page", ""), about.get("round", 0)
        # A page cannot be older than its stay, whatever its browser says: else a hello could have all the journal read.
        since = max(hello.base, hello.handled, about.get("since", 0))
        document = Document(hello.document, player, hello.stay, place, since, table)
        if hello.stay != about.get("stay", 0):
            return document
        missed = await self._missed(document, document.handled)
        # No await from here on.
        known = self.documents.get(player, {}).get(hello.document)
        if known is not None or hello.stay != about.get("stay", 0):
            return known or document  # it has said hello twice at once, or its page is over by now
        if missed is None:
            document.outbox.overflowed = True
        for seq, text in missed or ():
            document.outbox.add(seq, text, self._limits.outbox_events, self._limits.outbox_bytes)
        self._register(document)
        return document

    def _register(self, document: Document) -> None:
        mine = self.documents.setdefault(document.player, {})
        mine[document.nonce] = document
        self._places.setdefault(document.place, {})[document] = None
        idle = [other for other in mine.values() if other.sink is None and not other.greeting and other is not document]
        for other in idle:
            if len(mine) <= self._limits.connections:
                break
            self.forget(other)  # of a tab that is long closed; should it come back, the journal has what it missed

    def _adopt(self, mail: Mail, document: Document, hello: Hello) -> None:
        """The document takes over unsettled calls of others that its tab has shown."""
        document.adopted.clear()
        for adopted in hello.adopts[-TABLES_PER_PLAYER:]:  # a browser has one or two; more is somebody's invention
            if adopted.document == document.nonce:
                continue
            table = mail.table(adopted.document, hello.stay, min(adopted.pending, default=1))
            if table.owner is None or table.owner.sink is None:
                table.adopt(adopted.pending)
            table.adopters = [other for other in table.adopters if other.sink is not None and other is not document]
            table.adopters.append(document)
            document.adopted[adopted.document] = table

    def _welcome(self, document: Document, sink: Sink, hello: Hello, resync: bool) -> None:
        host = self._host
        durable = host.durable_seq
        about = host.state.player(document.player)._about
        # What an error holds up has a page of its own to see, in the same stay.
        current = document.stay == about.get("stay", 0) and not about.get("held")
        lost = self.of(document.player).lost
        document.lost = None
        if current and lost is not None and lost.seq <= durable:
            resync = True
            document.lost = lost.id, durable
            log.warning("session %s, player %d: %d %s", host.id, document.player, lost.number, SHED)
        welcome = Welcome(VERSION, host.clock.now(), durable, host.settings.grace.ping, resync and current)
        sink.send(frame(0, [encode(welcome)]))
        if current:
            known = set(hello.kept)
            missed = [] if resync else document.outbox.after(document.handled)
            frames = [(seq, text) for seq, text in missed if seq <= durable]
            frames += [
                (seq, frame(seq, [message]))
                for id, (seq, message) in self.of(document.player).kept.items()
                if seq <= durable and id not in known
            ]
            for _, text in sorted(frames, key=lambda pair: pair[0]):
                sink.send(text)
            document.sent = max(durable, document.handled)
        else:
            sink.send(frame(0, [b'{"type":"go","to":"reload"}']))
        self._settle(document.calls, sink, hello.pending, "")
        for adopted in hello.adopts:
            if adopted.document in document.adopted:
                self._settle(document.adopted[adopted.document], sink, adopted.pending, adopted.document)
        if hello.kept:
            host.calls.kept_handled(document.player, list(hello.kept))

    def _settle(self, table: CallTable, sink: Sink, pending: list[int], adopted: str) -> None:
        for n in sorted(pending):
            outcome = table.outcomes.get(n)
            if outcome is not None and outcome[0] <= self._host.durable_seq:
                message = addressed(outcome[1], adopted) if adopted else outcome[1]
                sink.send(frame(outcome[0], [message]))

    async def _missed(self, document: Document, since: int) -> list[tuple[int, FrameText]] | None:
        """Frames after `since` for a document that is not in memory; None where there are too many.

        From the recent messages, and what is older from the journal.
        """
        host = self._host
        frames: list[tuple[int, FrameText]] = []
        size = 0
        await self.recent.reach(since)
        while since < self.recent.floor:
            rows = await host.journal.read(host.id, after=since, limit=PAGE, large=False)
            if not rows:
                return None
            for row in rows:
                since = row.seq
                size += self._gather(document, since, messages_of(row), frames)
            if size > self._limits.outbox_bytes or len(frames) > self._limits.outbox_events:
                return None
        by_seq: dict[int, list[tuple[Send, bytes]]] = {}
        for seq, send, text in self.recent.after(since):
            by_seq.setdefault(seq, []).append((send, text))
        for seq, found in by_seq.items():
            size += self._gather(document, seq, found, frames)
        if size > self._limits.outbox_bytes or len(frames) > self._limits.outbox_events:
            return None
        return frames

    def _gather(
        self, document: Document, seq: int, found: list[tuple[Send, bytes]], frames: list[tuple[int, FrameText]]
    ) -> int:
        messages = [
            event_message(send, text, "")
            for send, text in found
            if not send.keep
            and (send.to is None or document.player in send.to)
            and document.player not in send.but
            and (send.where is None or tuple(send.where) == document.place)
        ]
        if not messages:
            return 0
        text = frame(seq, messages)
        frames.append((seq, text))
        return len(text)

    def handled(self, document: Document, seq: int) -> None:
        if seq > document.handled:
            document.handled = seq
            document.outbox.handled(seq)

    def closed(self, document: Document, sink: Sink) -> None:
        """The connection is gone. Only the one that is current is forgotten."""
        if document.sink is sink:
            document.sink = None
            self._connected.pop(document, None)
            if document.stay != self._host.state.player(document.player)._about.get("stay", 0):
                self.forget(document)

    def forget(self, document: Document) -> None:
        mine = self.documents.get(document.player)
        if mine is not None and mine.get(document.nonce) is document:
            del mine[document.nonce]
            if not mine:
                del self.documents[document.player]
        here = self._places.get(document.place)
        if here is not None:
            here.pop(document, None)
            if not here:
                del self._places[document.place]

    def moved(self, player: int) -> None:
        """The player's stay is over: page-bound events die with it, and its documents load the new page."""
        documents = list(self.live(player))
        for document in documents:
            self.forget(document)

        def go() -> None:
            for document in documents:
                if document.sink is not None:
                    document.sink.send(frame(0, [b'{"type":"go","to":"reload"}']))

        self._host.tell_function(go)

    # ---------------------------------------------------------------- all of them

    def lose_everybody(self) -> None:
        """Storage failed: every browser shows "one moment" and comes back."""
        self._end("storage", 1013)

    def say_goodbye(self) -> None:
        self._end("shutdown", 1012)

    def _end(self, reason: str, code: int) -> None:
        for document in list(self._connected):
            if document.sink is not None:
                document.sink.send(frame(0, [b'{"type":"bye","reason":"%s"}' % reason.encode()]))
                document.sink.close(code, reason)


def _late(hello: Hello, table: CallTable, sink: Sink) -> bool:
    """Whether a document has said a newer hello already; then this connection, which it has given up, is closed.

    Else what was under way for long in a network would take the place of the connection that lives.
    """
    if hello.connection >= table.connection:
        return False
    sink.close(CloseCode.TAKEOVER, "this document has a newer connection")
    return True


def _reply(seq: int, document: Document, message: bytes) -> None:
    if document.sink is not None:
        document.sink.send(frame(seq, [message]))


def event_message(send: Send, text: bytes, keep: str) -> bytes:
    """An event's wire message around its data, which is encoded already."""
    if send.name is not None and send.name.startswith("!"):
        return text
    name = msgspec.json.encode(send.name)
    if keep:
        return b'{"type":"event","name":%s,"data":%s,"keep":"%s"}' % (name, text, keep.encode())
    return b'{"type":"event","name":%s,"data":%s}' % (name, text)
