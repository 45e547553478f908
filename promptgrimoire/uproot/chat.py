"""Chats: `chat.create(session)`, `chat.add_player(...)`. What works so far: authoring/chat.py."""

from promptgrimoire.authoring.chat import (
    Message,
    add_message,
    add_player,
    create,
    exists,
    messages,
    notify,
    on_message,
    players,
)

__all__ = [
    "Message",
    "add_message",
    "add_player",
    "create",
    "exists",
    "messages",
    "notify",
    "on_message",
    "players",
]
