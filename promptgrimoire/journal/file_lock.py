"""One server per journal file: an advisory lock on a file beside the database.

Owns the lock and the process id written into it. Never touches the database, and never deletes the lock file: the lock
is what the operating system holds, and it lets go when the process ends, also by `kill -9`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from promptgrimoire.errors import JournalLocked, JournalUnavailable


class FileLock:
    """An exclusive lock on `path`. A child made with `fork` inherits it; one made with `spawn` or `exec` does not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self, journal: Path) -> None:
        """Take the lock of `journal`, without waiting.

        Raises JournalLocked naming the process that has it, JournalUnavailable where the directory is not writable.
        """
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalUnavailable(
                f"{journal}: cannot write {self.path.name} beside it ({error.strerror}); the journal's directory must"
                " exist and be writable for the server"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write_process(file)
        except OSError as error:
            holder = _holder(file)
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise JournalLocked(
                    f"{journal}: another server uses this journal (process {holder}). Stop that one, or give this one"
                    " another file (--database sqlite:///other.sqlite3). `promptgrimoire history` and `promptgrimoire"
                    " verify` may read it meanwhile"
                ) from error
            raise JournalUnavailable(f"{journal}: cannot lock {self.path.name} ({error.strerror})") from error
        self._file = file

    def release(self) -> None:
        """Also when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @staticmethod
    def _write_process(file: int) -> None:
        # Only for the message that the next server shows; on a full disk the lock must still be had.
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)


def _holder(file: int) -> str:
    with contextlib.suppress(OSError):
        return os.pread(file, 32, 0).decode("ascii", "replace").strip() or "unknown"
    return "unknown"
