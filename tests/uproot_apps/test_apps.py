"""Ten small apps in uproot's style, each played to the end over the real protocol.

They differ from apps written for uproot in their import lines only. What an app is about stands in its own docstring.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from promptgrimoire.authoring.experiment import load
from tests.client_python.stranger import CallError
from tests.examples.stage import Server
from tests.participant import Participant
from tests.shown import Shown

HERE = Path(__file__).resolve().parent
APPS = sorted(path.parent.name for path in HERE.glob("*/__init__.py"))
Serve = Callable[[str], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve("tea_market")`: an app on its own server; an error in its log fails the test."""
    servers: list[Server] = []

    def start(app: str) -> Server:
        servers.append(Server(HERE / app, tmp_path / "database.sqlite3"))
        return servers[-1]

    yield start
    logs = [server.stop() for server in servers]
    assert not any(word in log for log in logs for word in ("ERROR", "Traceback")), "\n".join(logs)


async def two(stack: AsyncExitStack, server: Server) -> tuple[Participant, Participant]:
    """Two participants, the first of whom has joined first."""
    first = await stack.enter_async_context(Participant(server.join))
    return first, await stack.enter_async_context(Participant(server.join))


def says(page: Shown, *texts: str) -> None:
    assert all(text in " ".join(page.text.split()) for text in texts), page.text


def attribute(page: Shown, tag: str, name: str) -> str:
    """An attribute of the first such element that has it."""
    found = next(one.get(name) for one in page.root.all(tag) if one.get(name))
    assert found is not None
    return str(found)


def test_there_are_ten() -> None:
    assert len(APPS) == 10


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ("tea_market", ["digest has no effect yet", "shows what digest returns"]),
        ("mail_order", ["the form for the settings of a new session has no effect yet"]),
        ("quick_sums", ["pipeline has no effect yet"]),
        ("parcel_rooms", ["chat: messages are kept"]),
    ],
)
def test_loading_says_what_comes_later(app: str, expected: list[str]) -> None:
    warnings = load(HERE / app).warnings
    assert len(warnings) == len(expected)
    assert all(any(text in warning for warning in warnings) for text in expected)


@pytest.mark.parametrize(
    "app", [app for app in APPS if app not in ("tea_market", "mail_order", "quick_sums", "parcel_rooms")]
)
def test_others_load_without_warning(app: str) -> None:
    assert load(HERE / app).warnings == ()


async def test_tea_market(serve: Serve) -> None:
    server = serve("tea_market")
    async with AsyncExitStack() as stack:
        ann, bob = await two(stack, server)
        assert ann.page.heading == "The tea market"
        assert attribute(ann.page, "ul", "data-book") == "[]"
        await bob.connected()
        assert await ann.call("ask", 5) == 1
        assert await ann.call("ask", "4.5") == 1
        (offer,) = (await bob.event("Book"))[-1:]
        offer = (await bob.event("Book"))[0]
        assert offer["price"] == 4.5
        assert await bob.call("take", offer["id"]) == 15.5
        sold = await ann.event("Sold")
        assert sold["price"] == 4.5
        assert set(sold["buyer"]) == {"sname", "uname"}
        with pytest.raises(CallError, match="price"):
            await bob.call("ask", "a lot")
        await ann.load()
        says(ann.page, "You have 24.50 and made 3 asks.", "The Harbour Laboratory")
        assert json.loads(attribute(ann.page, "ul", "data-book")) == [5.0, 4.5, None]
        assert ann.page.config is not None
        assert ann.page.config["vars"]["C"] == {"CASH": 20}
        await ann.submit()
        says(ann.page, "You sold 1, for 4.5, fresh.")
        assert [(await one.submit()).ended for one in (ann,)] == [True]


async def test_ferry_dilemma(serve: Serve) -> None:
    server = serve("ferry_dilemma")
    async with AsyncExitStack() as stack:
        ann, bob = await two(stack, server)
        for round in (1, 2, 3):
            for one, seat in ((ann, "bow, as number 0"), (bob, "stern, as number 1")):
                await one.reaches(f"Trip {round}")
                says(one.page, seat)
            says(ann.page, f"Last time: {['nothing', True, False][round - 1]}")
            chosen = dict(cooperate="I row") if round != 2 else {}
            await ann.submit(**(chosen or {"cooperate": "I rest"}))
            await bob.submit(cooperate="I row")
            for one in (ann, bob):
                await one.reaches("Landed")
            says(ann.page, "You rested and earn €5.0" if round == 2 else "You rowed and earn €4.0")
            await asyncio.gather(ann.submit(), bob.submit())
        says(ann.page, "1 rowed", "2 rested", "3 rowed", "Earned 13; first True, last True.")
        says(bob.page, "Earned 10")
        assert (await ann.submit()).ended


async def test_garden_survey(serve: Serve) -> None:
    async with Participant(serve("garden_survey").join) as ann:
        answers = dict(beds=12, budget="5.50", sun="0.4", plot="North", since=1999, tools=["Spade", "Hoe"])
        await ann.submit(**answers)
        assert ann.page.errors["budget"] == "So many beds cost more."
        assert any(one.get("data-of") == "budget" for one in ann.page.root.all("p"))
        await ann.submit(budget="12.50", tools=["Spade"])
        assert "tools" in ann.page.errors
        await ann.submit(tools=["Spade", "Hoe"])
        assert ann.page.heading == "Your taste"
        assert ann.page.buttons[""] == "Done"
        await ann.submit(roses=5, weeds=1, code="please")
        says(ann.page, "That is not the code.")
        await ann.back()
        assert ann.page.heading == "Your garden"
        await ann.submit(**{**answers, "budget": "12.50"})
        await ann.submit(roses=4, weeds=2, code="sesame")
        says(ann.page, "12 beds for 12.50, 3 tries, 2 codes, False.")
        assert (await ann.submit()).ended


async def test_parcel_rooms(serve: Serve) -> None:
    server = serve("parcel_rooms")
    async with AsyncExitStack() as stack:
        ann, bob = await two(stack, server)
        for one in (ann, bob):
            await one.reaches("Talk")
        await bob.submit()
        says(bob.page, "Say something first.")
        await ann.call("say", "<b>parcels</b>")
        await asyncio.sleep(0)
        for _ in range(100):
            await ann.load()
            if "Machine" in ann.page.text:
                break
        says(ann.page, "Courier 1 <b>parcels</b>", "Machine You said <b>parcels</b>")
        await bob.submit()
        says(bob.page, "<b>parcels</b>", "You said")
        await ann.submit()
        assert [(await one.submit()).ended for one in (ann, bob)] == [True, True]


async def test_lantern_layout(serve: Serve) -> None:
    server = serve("lantern_layout")
    async with httpx.AsyncClient(trust_env=False) as http:
        assert "2 kinds." in (await http.get(server.join)).text
        async with Participant(server.join) as ann:
            says(ann.page, "Red lantern", "Welcome", "8 lanterns")
            source = (await http.get(ann.link)).text
            for file in ("uproot/names.js", "uproot/behaviours.js", "uproot/behaviours.css"):
                (address,) = re.findall(rf'"(/static/\w+/{file})"', source)
                assert (await http.get(server.url.rstrip("/") + address)).status_code == 200
            lantern = json.loads(attribute(ann.page, "button", "data-lantern"))
            assert await ann.call("light", lantern["colour"]) == 3
            await ann.post({})
            assert ann.page.root.first("h1") is None
            says(ann.page, "Hang it up", "Red lantern, in lantern_layout.", "Mind the fire.")
            assert ann.page.buttons == {"": "It hangs", "_back": "Back"}
            picture = server.url.rstrip("/") + attribute(ann.page, "img", "src")
            assert (await http.get(picture)).headers["content-type"] == "image/svg+xml"
            await ann.submit()
            says(ann.page, "It is red.")
            assert "uproot/" not in (await http.get(ann.link)).text
            assert (await ann.submit()).ended


async def test_train_seats(serve: Serve) -> None:
    async with Participant(serve("train_seats").join) as ann:
        assert ann.page.heading == "Platform"
        met = []
        while ann.page.heading != "Terminus":
            met.append(ann.page.heading)
            await ann.submit()
        assert met[0] == "Platform"
        assert met[1:4] in (["Window", "Aisle", "Snack"], ["Aisle", "Snack", "Window"])
        assert met[4:] in (["Quiet", "Stop", "Stop"], ["Snack", "Quiet", "Stop", "Stop"])
        assert "Inspector" not in met  # its hook moves on
        says(ann.page, " ".join(["Inspector", "Terminus", "at"]), "Stop Stop")
        showed = ["train_seats/Quiet"] if len(met) == 7 else ["train_seats/Snack", "train_seats/Quiet"]
        says(ann.page, json.dumps([showed]).replace(" ", "").replace(",", ","))
        assert (await ann.submit()).ended  # behind Terminus there is a page, which is left out


async def test_meeting_point(serve: Serve) -> None:
    server = serve("meeting_point")
    async with AsyncExitStack() as stack:
        ann, bob = await two(stack, server)
        cat = await stack.enter_async_context(Participant(server.join))
        await cat.submit()
        await ann.submit(present=True)
        await bob.submit(present=True)
        for one, place in ((ann, "in"), (bob, "in"), (cat, "out")):
            await one.reaches("Who met")
            says(await one.load(), f"2 of 3; meeting: 2; {place}; True")
        assert [(await one.submit()).ended for one in (ann, bob, cat)] == [True, True, True]


async def test_recording_booth(serve: Serve, tmp_path: Path) -> None:
    server = serve("recording_booth")
    try:
        async with AsyncExitStack() as stack:
            ann, bob = await two(stack, server)
            await ann.submit(title="Waves, again", take=("take.gif", b"GIF89a" + bytes(200), "image/gif"))
            says(ann.page, "206 bytes", "9 cents")
            await bob.submit(title="Wind")
            says(bob.page, "8 bytes", "5 cents")
            assert attribute(ann.page, "img", "src").startswith("data:image/gif;base64,R0lG")
            await ann.load()
            says(ann.page, "Waves, again")
            assert [(await one.submit()).ended for one in (ann, bob)] == [True, True]
    finally:
        (HERE / "takes.csv").unlink(missing_ok=True)


async def test_quick_sums(serve: Serve) -> None:
    server = serve("quick_sums")
    async with AsyncExitStack() as stack:
        ann, bob = await two(stack, server)
        numbers = await ann.call("task")
        assert await ann.call("solve", sum(numbers) + 1) is False
        assert await ann.call("task") == numbers
        assert await ann.call("solve", str(sum(numbers))) is True
        await ann.submit()
        says(ann.page, "1 solved, €0.25, in time.")
        await bob.reaches("Score")
        says(bob.page, "0 solved", "late")
        assert [(await one.submit()).ended for one in (ann, bob)] == [True, True]


async def test_mail_order(serve: Serve) -> None:
    async with Participant(serve("mail_order").join) as ann:
        says(ann.page, "Returns within 14 days to MAIL_ORDER.")
        assert json.loads(attribute(ann.page, "div", "x-data")) == {"limit": 4, "names": ["Tea", "Rice", "Salt"]}
        assert json.loads(attribute(ann.page, "div", "title")) == ["Tea", "Rice", "Salt"]
        await ann.submit()
        says(ann.page, "Nothing is ordered.", "Please order something.")
        await ann.submit(tea=5)
        assert list(ann.page.errors) == ["tea"]
        await ann.submit(tea=2)
        says(ann.page, "1. Tea: 2 as a gift", "2. Rice: 0", "Tried [0, 2]")
        assert (await ann.submit()).ended
