"""Uploads in a session: which files the page takes, what is stored of one, how hooks read it, also after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptgrimoire.authoring.uploads import Upload
from promptgrimoire.errors import NoTransaction
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.runtime.host import Host
from promptgrimoire.settings import Limits, Settings
from tests.engine.stage import Server, settle

APP = """
import wtforms

class Send(Page):
    fields = dict(
        cv=FileField(label="CV", max_size=1000),
        any=FileField(label="Anything", optional=True),
        plain=wtforms.FileField("Plain"),
        age=IntegerField(label="Age", optional=True),
    )

    async def after_once(page, player):
        player.content = (await player.cv.read()).decode()


class Made(Page):
    def fields(page, player):
        return dict(cv2=FileField(label="CV"), age2=IntegerField(label="Age"))


class Done(Page):
    '''# Done'''

    @live
    async def again(page, player):
        return (await player.cv.read()).decode()


page_order = [Send, Made, Done]
"""


def sent(host: Host, content: bytes, name: str = "cv.pdf") -> Upload:
    """As the web does it, before it tells the host."""
    incoming = host.incoming()
    incoming.write(content)
    return Upload(name, incoming.size, "application/pdf", incoming.keep())


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "journal.sqlite3")


async def test_a_file_is_stored_read_by_hooks_and_there_after_a_restart(tmp_path: Path, journal: Journal) -> None:
    server = Server(tmp_path, APP, journal)
    await server.start()
    host = await server.create(1)
    upload = sent(host, b"Ann, born 2004")
    sent(host, b"a file that no submission names")
    await server.submit(data={"age": "3"}, uploads={"cv": upload, "made up": upload})
    player = await server.player()
    for _ in range(100):
        await settle()
        if player.show_page == 1:
            break
    assert (player.cv, player.content, player.any, player.age) == (upload, "Ann, born 2004", None, 3)
    assert not hasattr(player, "made up")
    await server.restart()
    player = await server.player()
    assert player.cv == upload
    await server.move("Done")
    browser = await server.opened()
    assert await browser.ask("again") == "Ann, born 2004"
    await server.stop()


async def test_a_page_says_which_files_it_takes(tmp_path: Path) -> None:
    server = Server(tmp_path, APP, settings=Settings(limits=Limits(upload=5000)))
    await server.start()
    host = await server.create(1)
    player = await server.player()
    token, stay = host.players()[0].token, player._about["stay"]
    takes = {"cv": 1000, "any": 5000, "plain": 5000}
    assert host.upload_limits(token, stay) == host.upload_limits(token, None) == takes
    assert host.upload_limits(token, stay + 1) == {}
    await server.move("Made")
    assert host.upload_limits(token, stay) == {}
    assert host.upload_limits(token, None) == {"*": 5000}  # nobody has asked the hook yet
    await server.page()
    assert host.upload_limits(token, None) == {"cv2": 5000}
    await server.move(3)
    assert host.upload_limits(token, None) == {}
    await server.stop()


async def test_a_file_is_read_by_hooks_only() -> None:
    with pytest.raises(NoTransaction, match=r"upload.read\(\) works only in hooks"):
        await Upload("a", 1, "text/plain", "0" * 64).read()
