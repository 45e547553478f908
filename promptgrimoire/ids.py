"""Identifiers: sessions, records, tokens.

Owns how they look and how they are made; never looks anything up.
"""

from __future__ import annotations

import secrets
from typing import NewType

SessionId = NewType("SessionId", str)  # 12 letters and digits
RecordKey = NewType("RecordKey", str)  # "s", "p1", "g1"; "!p1" what the framework keeps about player 1
Token = NewType("Token", str)  # "<session>-<26 letters and digits>"

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 symbols, none mistaken for another
_SESSION_LENGTH = 12
_SECRET_LENGTH = 26  # 130 bits


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_session_id() -> SessionId:
    return SessionId(_random_text(_SESSION_LENGTH))


def new_token(session: str) -> Token:
    """An unguessable token (130 bits) that names its session."""
    return Token(f"{session}-{_random_text(_SECRET_LENGTH)}")


def new_secret() -> str:
    """130 random bits as text, for keys and cookies."""
    return _random_text(_SECRET_LENGTH)


def session_of(token: str) -> SessionId | None:
    """The session that a token names, or None where it has not the form of a token."""
    session, _, secret = token.partition("-")
    if len(session) != _SESSION_LENGTH or len(secret) != _SECRET_LENGTH:
        return None
    return SessionId(session)


def player_key(player: int) -> RecordKey:
    return RecordKey(f"p{player}")


def group_key(group: int) -> RecordKey:
    return RecordKey(f"g{group}")


SESSION_KEY = RecordKey("s")


def hidden(key: str) -> RecordKey:
    """The record in which the framework keeps what authors do not write."""
    return RecordKey("!" + key)
