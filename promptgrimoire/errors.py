"""Every error of promptgrimoire, in one tree.

GrimoireError
├── AuthorError                what an experiment did wrong; names file, line and mend
│   ├── ExperimentError        an experiment that does not load: one or more problems
│   ├── NotStorable            a value that cannot be kept (also a TypeError)
│   ├── NotAttached            a container that is no longer part of the state was changed
│   ├── OriginalChanged        a list or dict was changed after it had been assigned
│   ├── NoTransaction          a write where no transaction is open
│   ├── ReadOnly               a built-in, or another session's record, was written (AttributeError)
│   ├── UnknownField           an undeclared field of a typed record was written (AttributeError)
│   ├── UnknownSetting         a setting that the session's config does not have (KeyError)
│   ├── NotSerialisable        a return value or message that JSON cannot carry
│   └── TooLarge               an entry, value or message beyond its limit
├── Reject                     raised by an author to refuse a call with a text of their own
├── Refused                    a call or command that the framework refuses, with a code
├── NotFound                   no such session, player, token
└── JournalError               storage
    ├── JournalLocked          another server uses this file
    ├── JournalTooNew          written by a newer version
    ├── JournalDamaged         what was read is not what was written
    └── JournalUnavailable     storage does not accept writes now (disk full, read-only, …)
"""

from __future__ import annotations


class GrimoireError(Exception):
    """Root of all errors raised by promptgrimoire."""


class AuthorError(GrimoireError):
    """A mistake in an experiment. The message names what was expected, what was found and the mend."""


class ExperimentError(AuthorError):
    """An experiment that does not load.

    `problems` holds one text per mistake, each with file, line and mend.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotStorable(AuthorError, TypeError):
    """A value that cannot be stored."""


class NotAttached(AuthorError):
    """A container that is no longer part of the state was changed."""


class OriginalChanged(AuthorError):
    """A container was changed after a copy of it had been stored."""


class NoTransaction(AuthorError):
    """A write outside hooks, live methods and tasks, or from another thread."""


class ReadOnly(AuthorError, AttributeError):
    """A name that cannot be assigned."""


class UnknownField(AuthorError, AttributeError):
    """An undeclared field of a typed record, or a field that was never set."""


class UnknownSetting(AuthorError, KeyError):
    """A setting that the session does not have."""

    __str__ = Exception.__str__  # a KeyError's own text is quoted


class NotSerialisable(AuthorError, TypeError):
    """A return value or message that cannot travel to the browser."""


class TooLarge(AuthorError):
    """Something beyond its limit; the message names the limit and the size."""


class Reject(GrimoireError):
    """Raise in a live method to refuse the call with a text for the participant.

    What the method wrote is undone unless `keep` is true. Nothing is logged.
    """

    def __init__(self, message: str = "", *, keep: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.keep = keep


class Refused(GrimoireError):
    """A command that is not carried out; `code` is one of `promptgrimoire.realtime.protocol.ErrorCode`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotFound(GrimoireError):
    """No such session, player or token."""


class JournalError(GrimoireError):
    """Storage refused. The message says what to do."""


class JournalLocked(JournalError):
    """Another server has this journal open."""


class JournalTooNew(JournalError):
    """The journal was written by a newer version."""


class JournalDamaged(JournalError):
    """What was read is not what was written. Nothing is overwritten."""


class JournalUnavailable(JournalError):
    """Storage does not accept writes at the moment."""
