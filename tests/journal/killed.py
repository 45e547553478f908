"""A server that dies by `kill -9` while it stores a large value.

Run as `python -m tests.journal.killed FILE before|after`: one small entry is acknowledged (a line of output), then the
process is killed before or after the large value of the next one is on disk, which in both cases is before the commit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from promptgrimoire.journal.blobs import FolderBlobs
from promptgrimoire.journal.sqlite import SqliteJournal
from tests.journal.samples import Ear, large_row


class Deadly(FolderBlobs):
    def __init__(self, folder: Path, moment: str) -> None:
        super().__init__(folder)
        self.moment = moment

    def keep(self, sha256: str, text: bytes) -> None:
        if self.moment == "after":
            super().keep(sha256, text)
        os.kill(os.getpid(), signal.SIGKILL)


async def store(path: str, moment: str) -> None:
    journal = SqliteJournal(path, blobs=Deadly(Path(path + ".blobs"), moment))
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()
    print("stored", flush=True)
    journal.append(ear, large_row(ear.chain, 1_000_000))
    await journal.flush()


if __name__ == "__main__":
    asyncio.run(store(sys.argv[1], sys.argv[2]))
