"""Models (typed entries over one list), identifiers, chats' names, payments: in sessions, across restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from promptgrimoire.authoring.files import read_csv
from promptgrimoire.errors import AuthorError, NotStorable
from promptgrimoire.state.identifiers import PlayerIdentifier
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

APP = '''
from promptgrimoire.uproot import *
import promptgrimoire.uproot.models as um
from typing import Optional

heard = []

class Offer(metaclass=um.Entry):
    pid: PlayerIdentifier
    price: Optional[float]
    path: list = ()

class Other(metaclass=um.Entry):
    text: str

class Context(PlayerContext):
    @property
    def doubled(self):
        return 2 * self.player.id

class Play(Page):
    """# Play"""

def new_session(session):
    session.offers = um.create_model(session, tag="offers")
    session.more = um.create_model(session, tag="offers")

def answer(chat_, player, text):
    heard.append((player and player.id, text))

page_order = [Play]
'''


async def asked(server: Server, question: Callable[[Any, Any], Any], id: int = 1) -> Any:
    """What `question(player, module)` gives, in a transaction of the player's."""
    found: list[Any] = []
    player = await server.player(id)
    await server.act(lambda: found.append(question(player, server.module)), id)
    return found[0]


async def two(serve: Serve) -> Server:
    server = await serve(APP)
    await server.create(2)
    return server


async def test_entries_are_typed_filled_filtered_and_there_after_a_restart(serve: Serve) -> None:
    server = await two(serve)

    def add(player: Any, app: Any) -> Any:
        um, offers = app.um, player.session.offers
        um.add_entry(offers, player, app.Offer, price=3)
        um.auto_add_entry(offers, player.other_in_session, app.Offer, price=None, path=[{"x": 1}])
        um.add_entry(offers, app.Offer, pid=player, price=4.5)
        return um.add_entry(offers, app.Offer(player.pid, 9.0))

    last = await asked(server, add)
    await server.crash()
    await server.restart()

    def look(player: Any, app: Any) -> None:
        um, offers = app.um, player.session.offers
        entries = um.get_entries(offers, app.Offer)
        assert [entry.price for _, _, entry in entries] == [3.0, None, 4.5, 9.0]
        assert [type(entry) for _, _, entry in entries] == [app.Offer] * 4
        assert entries[1][2].path == [{"x": 1}]
        assert {time for _, time, _ in entries} == {server.clock.now()}
        assert entries[1][2].pid == player.other_in_session.pid
        mine = um.filter_entries(offers, app.Offer, pid=player.pid)
        assert (
            [entry.price for _, _, entry in mine]
            == [3.0, 4.5, 9.0]
            == [entry.price for _, _, entry in um.filter_entries(offers, app.Offer, pid=player)]
        )
        assert [one[0] for one in um.filter_entries(offers, app.Offer, lambda one: (one.price or 0) > 5)] == [last]
        assert um.filter_entries(offers, app.Offer, id=str(last)) == [um.get_latest_entry(offers, app.Offer)]
        assert um.get_entries(offers, app.Other) == um.get_entries(player.session.more, app.Offer) == []
        assert um.model_exists(offers)
        assert not um.model_exists(player.pid)

    await asked(server, look)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (lambda p, a: a.um.add_entry(p.session.offers, p, a.Offer, prise=3), "Offer has no field 'prise'; it has pid"),
        (lambda p, a: a.um.add_entry(p.session.offers, p, a.Offer, price="3"), "Offer.price: Expected `float | null`"),
        (lambda p, a: a.um.add_entry(p.session.offers, a.Offer, price=3), "missing 1 required positional argument"),
        (lambda p, a: a.um.add_entry(p.session.offers, p), "expected a model, a player and a class of entries"),
        (lambda p, a: a.um.add_entry("offers", p, a.Offer, price=3), "expected a model, as create_model(session)"),
        (lambda p, a: a.um.filter_entries(p.session.offers, a.Offer, prise=3), "Offer has no field 'prise'"),
        (lambda p, a: a.um.get_entries(p.session.offers, int), "class Offer(metaclass=Entry)"),
        (lambda p, a: a.um.create_model(p), "expected a session"),
        (lambda p, a: a.materialize(PlayerIdentifier("elsewhere", "Ann")), "is of another session"),
        (lambda p, a: a.materialize(PlayerIdentifier(p.session.id, "Nobody")), "none of that name"),
        (lambda p, a: a.Player(p.session.id, "Nobody"), "no player of that name"),
        (lambda p, a: a.identify(3), "expected a player, a group or a session"),
        (lambda p, a: a.Admin().rooms, "comes with a later version"),
        (lambda p, a: a.chat.add_message(a.chat.create(p.session), p, "x"), "call chat.add_player"),
        (lambda p, a: a.chat.messages(p.session.offers), "is no chat of this session"),
        (lambda p, a: a.chat.on_message(a.chat.create(p.session), lambda *x: 1), "top level of the module"),
        (lambda p, a: p.along("app"), 'expected along("round")'),
        (lambda p, a: p.within(round=1).along("round"), "has no rounds"),
    ],
)
async def test_mistakes_are_named(serve: Serve, question: Callable[[Any, Any], Any], words: str) -> None:
    server = await two(serve)
    with pytest.raises(AuthorError) as problem:
        await asked(server, question)
    assert words in str(problem.value)


async def test_what_is_undone_leaves_no_entry(serve: Serve) -> None:
    server = await two(serve)

    def fail(player: Any, app: Any) -> None:
        app.um.add_entry(player.session.offers, player, app.Offer, price=3)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await asked(server, fail)
    assert await asked(server, lambda p, a: a.um.get_entries(p.session.offers, a.Offer)) == []


async def test_identifiers_stand_for_records(serve: Serve) -> None:
    server = await two(serve)

    def look(player: Any, app: Any) -> None:
        other, session = player.other_in_session, player.session
        assert {player.pid: 1}[app.identify(player)] == 1
        assert app.materialize(other.pid) is other is app.Player(*other.pid) is app.Player(session, other.name)
        assert app.Session(session.id) is session is app.materialize(app.identify(session))
        assert isinstance(player, app.Player)
        assert not isinstance(session, app.Player)
        group = app.create_group(session, [player.pid, other], gname="pair", overwrite=True)
        assert app.materialize(app.identify(group)) is group is app.Group(session.id, "pair")
        assert [one.id for one in group.players] == [1, 2]
        app.notify(player.pid, [other.pid], 1)
        app.send_to(player.pid, 1, "Named")
        session.seen = {player.pid: [other.pid]}
        assert player.context.doubled == 2
        assert other.context.doubled == 4
        with app.Admin() as admin:
            assert admin.sessions == [session.id]

    await asked(server, look)
    await server.crash()
    await server.restart()
    assert await asked(server, lambda p, a: p.session.seen == {p.pid: [p.other_in_session.pid]})


async def test_player_context_is_a_field_where_the_app_has_no_context(serve: Serve) -> None:
    server = await serve('class Play(Page):\n    """# Play"""\n\npage_order = [Play]')
    await server.create(1)
    with pytest.raises(AttributeError, match="has no field 'context'"):
        await asked(server, lambda player, app: player.context)

    def write(player: Any, app: Any) -> str:
        player.context = "frame"
        return str(player.context)

    assert await asked(server, write) == "frame"


async def test_chats_keep_what_is_said_and_tell_who_listens(serve: Serve) -> None:
    server = await two(serve)

    def talk(player: Any, app: Any) -> None:
        session, chat = player.session, app.chat
        session.chat = chat.create(session)
        chat.add_player(session.chat, player, pseudonym="Red <b>")
        chat.add_player(session.chat, player.other_in_session.pid)
        chat.on_message(session.chat, app.answer)
        chat.add_message(session.chat, player, "Hello")
        chat.add_message(session.chat, "Host", "Welcome")

    def look(player: Any, app: Any) -> None:
        session, chat = player.session, app.chat
        assert chat.exists(session.chat)
        assert not chat.exists(session.offers)
        assert [one.id for one in chat.players(session.chat)] == [1, 2]
        (_, time, first), (_, _, second) = chat.messages(session.chat)
        assert (first.sender, first.text, second.sender) == (player.pid, "Hello", "Host")
        assert time == server.clock.now()

    await asked(server, talk)
    await settle()
    assert server.module.heard == [(1, "Hello"), (None, "Welcome")]
    await server.crash()
    await server.restart()
    await asked(server, look)


@pytest.mark.parametrize(
    ("settings", "payoff", "paid"),
    [
        ({}, "12.345", "12.35"),
        ({"rate": 0.1, "showup_fee": 5}, "12.35", "6.24"),
        ({"rate": 0.1, "showup_fee": 5, "rounding": 0.5}, "12.35", "6.0"),
        ({"rounding": 1}, "-2.5", "-3"),
        ({"rate": "a lot"}, "1", "the setting rate: expected a number, found 'a lot'"),
        ({"rounding": 0}, "1", "expected a number above 0"),
    ],
)
async def test_payment_takes_rate_fee_and_rounding(
    serve: Serve, settings: dict[str, Any], payoff: str, paid: str
) -> None:
    server = await serve('class Play(Page):\n    """# Play"""\n\npage_order = [Play]')
    host = await server.create(1)

    def pay(player: Any, app: Any) -> Decimal:
        host.state.writing().assign(host.state.hidden, "settings", settings)
        player.payoff = Decimal(payoff)
        found: Decimal = app.payment(player)
        return found

    if paid.lstrip("-").replace(".", "").isdigit():
        assert await asked(server, pay) == Decimal(paid)
    else:
        with pytest.raises(AuthorError, match=paid):
            await asked(server, pay)


@pytest.mark.parametrize("value", [None, "5", True, [1]])
async def test_a_payoff_is_a_number(serve: Serve, value: Any) -> None:
    server = await serve('class Play(Page):\n    """# Play"""\n\npage_order = [Play]')
    await server.create(1)

    def pay(player: Any, app: Any) -> None:
        player.session.payoff = value  # the author's own
        player.payoff = 0.25
        assert app.payment(player) == Decimal("0.25")
        player.payoff = value

    with pytest.raises(NotStorable, match=r"payoff: expected a number \(int, float or Decimal\), found"):
        await asked(server, pay)

    def old(player: Any, app: Any) -> Decimal:
        player._state.writing().assign(player, "payoff", value)  # as a journal of before may hold it
        found: Decimal = app.payment(player)
        return found

    with pytest.raises(AuthorError, match="payoff: expected a number, found"):
        await asked(server, old)


async def test_a_form_field_that_is_the_payoff_bears_a_timeout(serve: Serve) -> None:
    server = await serve(
        '''
        class Play(Page):
            """# Play"""

            timeout = 10
            fields = dict(payoff=IntegerField(label="What do you take?"))

        class End(Page):
            """# End"""

        page_order = [Play, End]
        '''
    )
    await server.opened()
    await server.clock.advance(20)
    player = await server.player()
    assert (player.page_order[player.show_page], player.payoff) == ("lab/End", 0)


async def test_a_row_is_written_once_the_code_has_succeeded(serve: Serve, tmp_path: Path) -> None:
    server = await two(serve)
    file = tmp_path / "rows.csv"

    def write(player: Any, app: Any, problem: bool) -> None:
        app.append_to_csv(str(file), {"id": player.id})
        assert app.read_csv(str(file)) == []
        if problem:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await asked(server, lambda player, app: write(player, app, True))
    assert not file.exists()
    await asked(server, lambda player, app: write(player, app, False))
    assert read_csv(file) == [{"id": "1"}]


async def test_names_of_the_compatibility_face(serve: Serve) -> None:
    server = await two(serve)

    def look(player: Any, app: Any) -> None:
        assert app.get_setting("rate") is None
        assert app.get_setting(player, "rate", 3) == 3
        assert (
            app.sha256("abc")
            == app.sha256(b"abc")
            == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        )
        pair = type("Pair", (tuple,), {"_fields": ("name", "value"), "name": property(lambda one: one[0])})
        assert app.combine([pair(("a", 1)), pair(("b", 2))]).b == 2
        assert app.combine([]) == ()
        assert len(str(app.uuid())) == 36
        assert json.dumps([str(player.pid)]) == f'["{player.session.id}/{player.name}"]'

    await asked(server, look)
