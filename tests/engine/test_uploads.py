"""Uploads in a session: which files the page takes, what is stored of one, how hooks read it, also after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from promptgrimoire.authoring.uploads import SENT, Upload
from promptgrimoire.errors import NoTransaction
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.runtime.flow import TIMED_OUT
from promptgrimoire.runtime.host import Host
from promptgrimoire.settings import Limits, Settings
from tests.engine.stage import Server

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


async def until(reached: Callable[[], bool]) -> None:
    """A thread reads the file, in its own time."""
    for _ in range(20_000):
        if reached():
            return
        await asyncio.sleep(0.001)


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
    await until(lambda: player.show_page == 1)
    assert (player.cv, player.content, player.any, player.age) == (upload, "Ann, born 2004", None, 3)
    assert not hasattr(player, "made up")
    await server.restart()
    player = await server.player()
    assert player.cv == upload
    await server.move("Done")
    browser = await server.opened()
    call = browser.invoke("again")
    await until(lambda: call in browser.settled)
    assert browser.settled[call] == "Ann, born 2004"
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


REFUSED = """
class Send(Page):
    fields = dict(
        cv=FileField(label="CV", accept=".pdf"),
        any=FileField(label="Anything", optional=True),
        secret=FileField(label="Secret", optional=True),
        age=IntegerField(label="Age"),
    )
    stealth_fields = ("secret",)
    allow_back = True
    timeout = 60

    def validate(page, player, data):
        if data["cv"].filename == "bad.pdf":
            return {"cv": "Unreadable."}

    def handle_stealth_fields(page, player, data):
        pass


class Kept(Page):
    fields = dict(letter=FileField(label="Letter", optional=True), who=StringField(label="Name"))
    allow_back = True
    keep_values = True


class Done(Page):
    '''# Done'''

    allow_back = True


page_order = [Send, Kept, Done]
"""


def named(**files: Upload) -> dict[str, str]:
    """What a browser posts of files that were sent before."""
    return {SENT + name: file.digest for name, file in files.items()}


async def refused(tmp_path: Path, journal: Journal | None = None) -> tuple[Server, Host]:
    server = Server(tmp_path, REFUSED, journal)
    await server.start()
    return server, await server.create(2)


async def test_a_file_sent_with_a_refused_form_need_not_be_sent_again(tmp_path: Path, journal: Journal) -> None:
    server, host = await refused(tmp_path, journal)
    cv, other = sent(host, b"Ann", "<ann>.pdf"), sent(host, b"other", "other.txt")
    answer = await server.submit(data={"age": "old"}, uploads={"cv": cv, "any": other})
    assert answer is not None
    await server.restart()
    for html in (answer.html, (await server.page()).html):
        assert "Already sent: <bdi>&lt;ann&gt;.pdf</bdi>. You need not choose it again." in html
        assert f'name="_sent_cv" value="{cv.digest}" type="hidden"' in html
        assert f'name="_sent_any" value="{other.digest}" type="checkbox"' in html
        assert html.count(" required") == 1  # of age: the browser does not ask for the file
    assert "Already sent" not in (await server.page(2)).html
    assert await server.submit(data={"age": "30", **named(cv=cv, any=other)}) is None
    player = await server.player()
    assert (player.cv, player.any, player.age) == (cv, other, 30)
    await server.stop()


async def test_only_files_that_this_player_sent_in_this_stay_can_be_named(tmp_path: Path) -> None:
    server, host = await refused(tmp_path)
    cv, foreign = sent(host, b"Ann"), sent(host, b"Bob")
    await server.submit(data={"age": "old"}, uploads={"cv": cv})
    await server.submit(data={"age": "old"}, uploads={"cv": foreign}, id=2)
    for forged in (foreign.digest, "", "0" * 64, cv.filename):
        answer = await server.submit(data={"age": "30", SENT + "cv": forged, "cv": cv.digest})
        assert answer is not None
        assert "Please choose a file." in answer.html
    assert "Already sent" in (await server.page()).html  # it is still there
    await server.move("Send")
    assert "Already sent" not in (await server.page()).html
    answer = await server.submit(data={"age": "30", **named(cv=cv)})
    assert answer is not None
    assert "Please choose a file." in answer.html
    await server.stop()


async def test_a_file_can_be_replaced_or_given_up(tmp_path: Path) -> None:
    server, host = await refused(tmp_path)
    cv, wrong, better = sent(host, b"1"), sent(host, b"2", "cv.exe"), sent(host, b"3", "better.pdf")
    await server.submit(data={"age": "old"}, uploads={"cv": cv, "any": wrong})
    answer = await server.submit(data={"age": "old", **named(cv=cv)}, uploads={"cv": wrong})
    assert answer is not None
    assert "Files of this type are not accepted" in answer.html
    assert "Already sent: <bdi>cv.pdf" in answer.html  # the one before
    assert "cv.exe" not in answer.html  # any is given up
    await server.submit(data={"age": "old", **named(cv=cv)}, uploads={"cv": better})
    assert "better.pdf" in (await server.page()).html
    assert await server.submit(data={"age": "30", **named(cv=better, any=wrong)}) is None
    player = await server.player()
    assert (player.cv, player.any) == (better, None)
    await server.stop()


async def test_what_the_author_refuses_is_not_kept_nor_what_is_stored_nowhere(tmp_path: Path) -> None:
    server, host = await refused(tmp_path)
    bad, secret = sent(host, b"1", "bad.pdf"), sent(host, b"2", "secret.pdf")
    answer = await server.submit(data={"age": "old"}, uploads={"cv": bad, "secret": secret})
    assert answer is not None
    assert "bad.pdf" in answer.html  # validate has not seen it yet
    assert "secret.pdf" not in answer.html
    answer = await server.submit(data={"age": "30", **named(cv=bad)})
    assert answer is not None
    assert "Unreadable." in answer.html
    assert "Please choose a file." not in answer.html
    for html in (answer.html, (await server.page()).html):
        assert "Already sent" not in html
    assert secret.digest not in str((await server.player())._about)
    await server.stop()


async def test_where_time_runs_out_a_file_sent_before_counts(tmp_path: Path) -> None:
    server, host = await refused(tmp_path)
    cv = sent(host, b"Ann")
    await server.submit(data={"age": "old"}, uploads={"cv": cv})
    await server.clock.advance(60)
    await server.submit(data={"age": "30", TIMED_OUT: "1", **named(cv=cv)})
    player = await server.player()
    assert (player.cv, player.age) == (cv, None)
    await server.stop()


async def test_a_page_that_keeps_values_keeps_files(tmp_path: Path) -> None:
    server, host = await refused(tmp_path)
    letter = sent(host, b"Dear")
    await server.move("Kept")
    await server.submit(data={"who": "Ann"}, uploads={"letter": letter})
    assert await server.back() is None
    assert "Already sent: <bdi>cv.pdf" in (await server.page()).html
    assert await server.submit(data={"who": "Ann", **named(letter=letter)}) is None
    assert (await server.player()).letter == letter
    await server.back()
    answer = await server.submit(data={"who": ""})  # given up, and refused for something else
    assert answer is not None
    for html in (answer.html, (await server.page()).html):
        assert "Already sent" not in html
    assert await server.submit(data={"who": "Ann"}) is None
    assert (await server.player()).letter is None
    await server.stop()
