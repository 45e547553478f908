"""Chats: who takes part and what was said, kept with the session.

`chat(session.chat)` in a template lists what has been said so far. Writing messages on a page, and seeing those of
others as they come, belong to a later version: loading says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup

from promptgrimoire.authoring.entries import Entry, add_entry, create_model, get_entries, model_exists, model_record
from promptgrimoire.authoring.lookup import handle, materialize
from promptgrimoire.authoring.tasks import after
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.identifiers import ModelIdentifier, PlayerIdentifier
from promptgrimoire.state.players import Players
from promptgrimoire.state.records import Player


class Message(metaclass=Entry):
    """Something that was said. `sender` is a player, a text (of somebody who is none), or nobody."""

    sender: PlayerIdentifier | str | None
    text: str


class Said(NamedTuple):
    """A message with its id and the time, in seconds since 1970."""

    id: UUID
    time: float
    message: Any


def create(session: Any) -> ModelIdentifier:
    """A new chat, without participants; keep what this gives, as in `session.chat = chat.create(session)`."""
    made = create_model(session, tag="chat")
    model_record(made)["members"] = []
    return made


def exists(chat: Any) -> bool:
    """Whether there is such a chat in this session."""
    return model_exists(chat) and "members" in model_record(chat)


def add_player(chat: Any, player: Any, pseudonym: str | None = None) -> None:
    """Let a player take part, under a name that the others see; without one, under the player's own short code."""
    of = handle(player)
    if not isinstance(of, Player):
        raise AuthorError(f"chat.add_player(chat, player): expected a player, found {player!r}")
    if pseudonym is not None and not isinstance(pseudonym, str):
        raise AuthorError(f"chat.add_player: pseudonym: expected a text, found {pseudonym!r}")
    members = _chat(chat)["members"]
    members[:] = [*(one for one in members if one["player"] is not of), {"player": of, "pseudonym": pseudonym or ""}]


def players(chat: Any) -> Players:
    """Those who take part, in the order in which they were added."""
    return Players(one["player"] for one in _chat(chat)["members"])


def add_message(chat: Any, sender: Any, text: str) -> UUID:
    """Say something: `sender` is a player who takes part, a text, or None. Gives the message's id."""
    of = handle(sender)
    if not isinstance(text, str):
        raise AuthorError(f"chat.add_message(chat, sender, text): expected a text, found {text!r}")
    record = _chat(chat)
    if isinstance(of, Player) and of not in players(chat):
        raise AuthorError(f"{of!r} does not take part in this chat; call chat.add_player(chat, player) before")
    id = add_entry(chat, Message, sender=of.pid if isinstance(of, Player) else of, text=text)
    if record.get("callback"):
        _call(record["callback"], chat, of if isinstance(of, Player) else None, text)
    return id


def messages(chat: Any) -> list[Said]:
    """All that was said, oldest first: `for id, time, message in chat.messages(session.chat)`."""
    _chat(chat)
    return [Said(*found) for found in get_entries(chat, Message)]


def on_message(chat: Any, callback: Callable[..., Any]) -> None:
    """Call a function of the module with (chat, player, text) for each message from now on; None takes it back."""
    record = _chat(chat)
    if callback is None:
        record.pop("callback", None)
        return
    name = getattr(callback, "__qualname__", "")
    if not callable(callback) or "." in name or "<" in name or not name:
        raise AuthorError(
            f"chat.on_message(chat, callback): expected a function at the top level of the module, found {callback!r}"
        )
    record["callback"] = f"{callback.__module__}:{name}"


def notify(chat: Any, *_message: Any) -> None:
    """Accepted, and without effect yet: messages do not reach pages before a later version."""
    _chat(chat)


def shown(chat: Any) -> Markup:
    """`{{ chat(session.chat) }}`: what has been said so far, with the names under which they take part."""
    names = {one["player"].pid: one["pseudonym"] or one["player"].name for one in _chat(chat)["members"]}
    items = Markup().join(
        Markup("<li><strong>{}</strong> {}</li>").format(_name(message.sender, names), message.text)
        for _, _, message in messages(chat)
    )
    return Markup('<ul class="list-unstyled grimoire-chat uproot-chat">{}</ul>').format(items)


def _name(sender: Any, names: dict[PlayerIdentifier, str]) -> str:
    if isinstance(sender, PlayerIdentifier):
        return names.get(sender) or str(materialize(sender).name)
    return sender or ""


def _chat(chat: Any) -> Any:
    if isinstance(chat, ModelIdentifier) and not exists(chat):
        raise AuthorError(f"{chat!r} is no chat of this session; chat.create(session) makes one")
    return model_record(chat)


def _call(stored: str, *arguments: Any) -> None:
    """Once this is committed, in a transaction of its own."""
    after(0, _function(stored), *arguments)


def _function(stored: str) -> Callable[..., Any]:
    module, _, name = stored.partition(":")
    found = getattr(sys.modules.get(module), name, None)
    if not callable(found):
        raise AuthorError(f"chat.on_message: there is no function {name} in {module} any more")
    function: Callable[..., Any] = found
    return function
