"""Random orders, rounds, repetition and treatments, played: what a player meets, what is drawn, what is forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptgrimoire.errors import UnknownField
from promptgrimoire.runtime.host import Host
from promptgrimoire.state.records import Player
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

PAGES = '''
def met(page, player):
    player.way = [*player.get("way", []), f"{page.__name__}{player.round or ''}"]

class Met(Page):
    def before_once(page, player): met(page, player)

class A(Met):
    """# A"""

class B(Met):
    """# B"""

class C(Met):
    """# C"""

class Z(Met):
    """# Z"""

'''


async def next_page(server: Server, player: Player, times: int = 1) -> None:
    for _ in range(times):
        host = await server.host()
        await host.flow.submit(player, player._about["stay"], f"n{player._about['stay']}", {})
        await settle(3)


async def to_the_end(server: Server, id: int) -> str:
    """The pages that a player meets from here on, one after the other: `A B1 B2 Z`."""
    host = await server.host()
    player = host.state.player(id)
    for _ in range(200):
        if not player._about["page"]:
            return " ".join(player.way)
        await next_page(server, player)
    raise AssertionError(f"no end: {player.way}")


async def test_rounds_are_counted_and_each_hook_runs_in_each(serve: Serve) -> None:
    server = await serve(PAGES + "page_order = [A, Rounds(B, Rounds(C, n=2), n=2), Rounds(B, n=2), Z]")
    await server.create(1)
    assert await to_the_end(server, 1) == "A B1 C2 C3 B4 C5 C6 B1 B2 Z"


async def test_what_a_new_round_has_forgotten_is_said_to_be_in_the_last_one(serve: Serve) -> None:
    """A partner who is a round ahead has no answer any more; "set it in new_player" led away from where it is."""
    field = "fields = dict(gain=IntegerField(optional=True))"
    server = await serve(PAGES + f'class Give(Page):\n    """# G"""\n    {field}\npage_order = [Rounds(Give, n=2), Z]')
    await server.create(1)
    host = await server.host()
    player = host.state.player(1)
    await host.flow.submit(player, player._about["stay"], "n1", {"gain": ["7"]})
    await settle(3)
    with pytest.raises(UnknownField, match=r"'gain' any more: .* within\(round=1\).gain still has it"):
        _ = player.gain
    assert player.within(round=1).gain == 7


async def test_fields_of_earlier_rounds_are_found(serve: Serve) -> None:
    gain = '"""# B"""\n    def after_once(page, player): player.gain = 10 * player.round'
    paid = '"""# Z"""\n    def before_once(page, player): player.paid = player.within(round=random_round(player)).gain'
    source = PAGES.replace('"""# B"""', gain).replace('"""# Z"""', paid)
    server = await serve(source + "page_order = [A, Rounds(B, n=5), Z]")
    host = await server.create(1)
    player = host.state.player(1)
    await next_page(server, player, 6)
    assert [player.within(round=round).gain for round in range(1, 6)] == [10, 20, 30, 40, 50]
    assert player.paid in (10, 20, 30, 40, 50)
    assert player.round == 0


async def test_orders_are_drawn_anew_in_each_round_and_survive_a_crash(serve: Serve) -> None:
    server = await serve(PAGES + "page_order = [A, Rounds(RandomOrder(A, B, C, Bracket(Z, A)), n=12)]")
    host = await server.create(1)
    player = host.state.player(1)
    await next_page(server, player, 7)
    order = list(player.page_order)
    await server.crash()
    await server.restart()
    way = (await to_the_end(server, 1)).split()
    assert [f"lab/{page.rstrip('0123456789')}" for page in way] == order
    rounds = ["".join(page[0] for page in way if page[1:] == str(round)) for round in range(1, 13)]
    assert all(sorted(one) == sorted("ABCZA") and "ZA" in one for one in rounds)
    assert len(set(rounds)) > 3


async def test_a_treatment_is_drawn_on_arrival_and_balanced_among_those_who_arrived(serve: Serve) -> None:
    server = await serve(
        PAGES
        + "def new_player(player): player.gender = 'fm'[player.id % 2]\n"
        + "page_order = [A, Between(control=B, gain=Bracket(B, C), loss=C, store='treatment', within='gender'), Z]"
    )
    host = await server.create(30)
    arrived: list[Player] = []
    for id in [*range(1, 31, 3), *range(2, 31, 3)]:  # the others never come
        player = host.state.player(id)
        assert "treatment" not in player.fields()
        await next_page(server, player)
        arrived.append(player)
        for gender in "fm":
            drawn = [one.treatment for one in arrived if one.gender == gender]
            counts = [drawn.count(arm) for arm in ("control", "gain", "loss")]
            assert max(counts) - min(counts) <= 1
        if len(arrived) == 9:
            await server.crash()
            host = await server.restart()
            arrived = [host.state.player(one.id) for one in arrived]
    pages = {"control": ["lab/B"], "gain": ["lab/B", "lab/C"], "loss": ["lab/C"]}
    for player in arrived:
        assert player.between_showed == [pages[player.treatment]]
        expected = ["A", *(page.removeprefix("lab/") for page in pages[player.treatment]), "Z"]
        assert (await to_the_end(server, player.id)).split() == expected


async def test_simultaneous_arrivals_are_balanced_too(serve: Serve) -> None:
    server = await serve(PAGES + "page_order = [A, Between(B, C), Z]")
    host = await server.create(20)
    people = [host.state.player(id) for id in range(1, 21)]
    await asyncio.gather(*(next_page(server, player) for player in people))
    assert sorted(player._about["page"] for player in people) == ["lab/B"] * 10 + ["lab/C"] * 10


async def test_a_repeat_goes_on_until_it_is_told_not_to(serve: Serve) -> None:
    source = PAGES.replace(
        '"""# B"""', '"""# B"""\n    def after_once(page, player): player.add_round = player.round < 3'
    )
    server = await serve(source + "page_order = [Repeat(A, B), C, Rounds(A, Repeat(B), n=2), Z]")
    await server.create(1)
    # in the second outer round, the rounds have been counted beyond 3: B runs once there
    assert await to_the_end(server, 1) == "A1 B1 A2 B2 A3 B3 C A1 B2 B3 A4 B5 Z"


async def lengths(server: Server, host: Host, people: int) -> list[int]:
    return [(await to_the_end(server, id)).count("A") for id in range(1, people + 1)]


async def test_partners_play_equally_many_rounds(serve: Serve) -> None:
    source = PAGES + (
        "def new_player(player):\n"
        "    if player.id % 2 == 0: create_group(player.session, players(player.session)[-2:])\n"
        "page_order = [Z, Repeat(A, continue_with=0.8)]"
    )
    server = await serve(source)
    host = await server.create(20)
    played = await lengths(server, host, 20)
    assert all(one == other for one, other in zip(played[::2], played[1::2], strict=True))
    assert len(set(played)) > 1, "each group draws for itself"


async def test_by_session_everybody_plays_equally_many_rounds(serve: Serve) -> None:
    server = await serve(PAGES + "page_order = [Repeat(A, continue_with=0.8, by='session')]")
    host = await server.create(8)
    assert len(set(await lengths(server, host, 8))) == 1


async def test_moving_to_a_page_finds_the_next_one_ahead(serve: Serve) -> None:
    source = PAGES.replace(
        '"""# B"""',
        '"""# B"""\n    def after_once(page, player):\n        if player.round == 2: move_to_page(player, Z)',
    )
    server = await serve(source + "page_order = [Z, Rounds(A, B, C, n=9), Z]")
    await server.create(1)
    assert await to_the_end(server, 1) == "Z A1 B1 C1 A2 B2 Z"


async def test_sequences_of_a_function_are_asked_for_once(serve: Serve) -> None:
    server = await serve(
        PAGES
        + "def page_order(player):\n"
        + "    player.asked = player.get('asked', 0) + 1\n"
        + "    return [A, Rounds(RandomOrder(B, C), n=player.id), Z]\n"
    )
    host = await server.create(2)
    assert (await to_the_end(server, 1)).split()[-1] == "Z"
    assert len((await to_the_end(server, 2)).split()) == 6
    assert [player.asked for player in host.state.everybody] == [1, 1]


async def test_the_journal_says_it_all(serve: Serve) -> None:
    """What was drawn is there again after a restart, also what was drawn for others: counts, orders, continuations."""
    source = PAGES + "page_order = [A, Between(B, C), Repeat(A, continue_with=0.6, by='session', at_most=4), Z]"
    server = await serve(source)
    host = await server.create(6)
    for id in (1, 2, 3):
        await to_the_end(server, id)

    def kept(host: Host) -> dict[str, Any]:
        return {key: repr(record._fields) for key, record in host.state.records.items()}

    before = kept(host)
    await server.stop()
    assert kept(await server.restart()) == before
    ways = [await to_the_end(server, id) for id in range(1, 7)]
    assert len({way.count("A") for way in ways}) == 1
    assert sum(" B " in way for way in ways) == 3


async def test_sequences_need_no_declarations_of_their_own(serve: Serve) -> None:
    declared = "class Player(PlayerFields):\n    way: list[str]\n\n"
    source = PAGES.replace('"""# B"""', '"""# B"""\n    def after_once(page, player): player.add_round = False')
    server = await serve(source + declared + "page_order = [Between(Repeat(A, B), [Repeat(B), C], store=None), Z]")
    await server.create(1)
    assert await to_the_end(server, 1) in ("A1 B1 Z", "B1 C Z")
