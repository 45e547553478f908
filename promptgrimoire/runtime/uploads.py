"""Files that participants send: which the page takes, where they go, how hooks read them.

Owns nothing that lasts: the content is the blob store's, durable before a submission names it; what no submission
names takes up space and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from promptgrimoire.authoring.uploads import is_for_files
from promptgrimoire.journal.blobs import Incoming

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player

ANY = "*"  # in place of a field's name: the page's fields are not known, so each may be for a file


class Uploads:
    """The uploads of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def limits(self, player: Player, stay: int | None) -> dict[str, int]:
        """How many bytes the file of each field may have, in that stay (None: the present one); empty for none.

        `ANY` stands for all fields where a hook makes them and has not been asked since the server started.
        """
        host = self._host
        spec = host.flow.page_of(player)
        if spec is None or (stay is not None and stay != host.flow.private(player.id)._fields.get("stay")):
            return {}
        most = host.limits.upload
        fields = host.flow.forms.known(player, spec)
        if fields is None:
            return {ANY: most}
        return {
            name: min(most, unbound.kwargs.get("max_size") or most)
            for name, unbound in fields.items()
            if is_for_files(unbound)
        }

    def incoming(self) -> Incoming:
        """Where the next file goes; its methods wait for the disk."""
        return self._host.journal.blobs.incoming()

    async def read(self, digest: str, size: int) -> bytes:
        """The content of a file. Raises JournalDamaged."""
        return await asyncio.to_thread(self._host.journal.blobs.read, digest, size)
