"""Plans as players walk them: rounds and their answers, treatments, several apps, Back, moves by name and position."""

from __future__ import annotations

import pytest

from promptgrimoire import move_to_end
from promptgrimoire.errors import AuthorError
from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle


async def where(server: Server, player: int = 1) -> str:
    about = (await server.player(player))._about
    return f"{about['page']}@{about['round']}" if about.get("round") else str(about["page"])


ROUNDS = '''
class Intro(Page):
    """# Intro"""

class Decide(Page):
    """# Decide

    {{ fields() }}"""

    fields = dict(choice=StringField(label="Choice", optional=True))

    def before_once(page, player):
        ran.append(f"before {player.round} {player.get('choice')}")
        player.session.total += player.round

    def after_once(page, player):
        ran.append(f"after {player.round} {player.choice}")

class Result(Page):
    """# Result"""

class End(Page):
    """# End"""

def new_session(session):
    session.total = 0

page_order = [Intro, Rounds(Decide, Result, n=3%s), End]
'''


async def test_a_round_begins_without_the_answers_of_the_last(serve: Serve, journal: Journal) -> None:
    server = await serve(ROUNDS % "", journal=journal)
    await server.submit()
    player = await server.player()
    for round in (1, 2, 3):
        assert (await where(server), player.round, player.round_nested) == (f"lab/Decide@{round}", round, [round])
        await server.submit(data={"choice": f"c{round}"} if round != 2 else {})
        assert await where(server) == f"lab/Result@{round}"
        if round == 2:
            await server.restart()
            player = await server.player()
        await server.submit()
    assert await where(server) == "lab/End"
    assert server.module.ran == [
        *("before 1 None", "after 1 c1", "before 2 None", "after 2 None", "before 3 None", "after 3 c3")
    ]
    assert (player.round, player.round_nested, player.session.total) == (0, [], 6)
    assert [player.within(round=n).get("choice", "missing") for n in (1, 2, 3)] == ["c1", None, "c3"]
    assert player.choice == "c3"
    assert player.page_order == ["lab/Intro", *["lab/Decide", "lab/Result"] * 3, "lab/End"]


async def test_carry_keeps_the_answers(serve: Serve) -> None:
    server = await serve(ROUNDS % ", carry=True")
    await server.submit()
    await server.submit(data={"choice": "c1"})
    await server.submit()
    assert server.module.ran[-1] == "before 2 c1"


async def test_the_past_is_there_while_the_field_is_not(serve: Serve) -> None:
    server = await serve(ROUNDS % "")
    await server.submit()
    await server.submit(data={"choice": "c1"})
    await server.submit()
    player = await server.player()
    assert not hasattr(player, "choice")
    assert player.within(round=1).choice == "c1"
    assert player.within(round=2).get("choice", "missing") == "missing"


async def test_moves_by_name_prefer_what_is_ahead(serve: Serve) -> None:
    server = await serve(ROUNDS % "")
    for target, expected in (
        ("Result", "lab/Result@1"),
        ("Result", "lab/Result@2"),
        ("lab/Decide", "lab/Decide@3"),
        (1, "lab/Decide@1"),
        ("End", "lab/End"),
        (0, "lab/Intro"),
    ):
        await server.move(target)
        assert await where(server) == expected
    with pytest.raises(AuthorError, match="'Nowhere' is not in this player's plan"):
        await server.move("Nowhere")
    with pytest.raises(AuthorError, match="expected a position from 0 to 8"):
        await server.move(9)
    await server.move(8)
    assert (await server.page()).kind == "end"


async def test_evidence_24_once_is_once_per_place_and_round(serve: Serve) -> None:
    server = await serve(ROUNDS % "")
    for target in (1, 3, 1, 3, 1):
        await server.move(target)
    assert [line for line in server.module.ran if line.startswith("before")] == ["before 1 None", "before 2 None"]
    assert (await server.player()).session.total == 3


TREATMENTS = '''
class Shown(Page):
    """# Shown"""

    def before_once(page, player):
        ran.append(page.__name__)

class A(Shown):
    """# A"""

class B(Shown):
    """# B"""

    def after_once(page, player):
        if player.round == 2:
            player.add_round = False

class D(Shown):
    """# D"""

class End(Page):
    """# End"""

page_order = [Between(control=A, gain=Bracket(B, D), store="treatment"), Repeat(B), RandomOrder(A, B, D), End]
'''


async def test_what_is_decided_when_reached_is_stored_and_balanced(serve: Serve, journal: Journal) -> None:
    server = await serve(TREATMENTS, players=4, journal=journal)
    treatments = [(await server.player(id)).treatment for id in (1, 2, 3, 4)]
    assert sorted(treatments) == ["control", "control", "gain", "gain"]
    await server.restart()
    for id, treatment in enumerate(treatments, 1):
        player = await server.player(id)
        expected = {"control": ["lab/A"], "gain": ["lab/B", "lab/D"]}[treatment]
        assert player.between_showed == [expected]
        assert player.page_order[: len(expected)] == expected
        for page in expected:
            assert await where(server, id) == page
            await server.submit(id)
        for round in (1, 2):
            assert await where(server, id) == f"lab/B@{round}"
            await server.submit(id)
        seen = []
        for _ in range(3):
            seen.append(await where(server, id))
            await server.submit(id)
        assert sorted(seen) == ["lab/A", "lab/B", "lab/D"]
        assert await where(server, id) == "lab/End"
        assert not hasattr(player, "add_round")


async def test_a_draw_that_is_undone_does_not_count(serve: Serve) -> None:
    server = await serve(
        '''
        class A(Page):
            """# A"""

            def before_once(page, player):
                if not player.session.get("open"):
                    raise ValueError("on purpose")

        class B(A):
            """# B"""

        page_order = [Between(A, B)]
        ''',
        players=3,
    )
    host = await server.host()
    assert host.state.hidden._fields.get("arms", {}) == {}
    await server.act(lambda: setattr(host.state.session, "open", True))
    for id in (1, 2, 3):
        await host.retry(host._token(id))
    (counts,) = host.state.hidden._fields["arms"].values()
    assert sorted(counts) == [1, 2]


async def test_jumping_back_onto_what_was_not_decided_moves_the_marks_of_what_is_behind(serve: Serve) -> None:
    server = await serve(
        '''
        class A(Page):
            """# A"""

        class B(Page):
            """# B"""

            def before_once(page, player):
                ran.append(f"B {player.show_page}")

        class D(Page):
            """# D"""

            def before_once(page, player):
                ran.append(f"D {player.show_page}")

        page_order = [A, Between(x=Bracket(B, B, B), y=Bracket(B, B, B), store="arm"), D]
        '''
    )
    await server.move("D")
    await server.move(1)
    for _ in range(3):
        await server.submit()
    assert await where(server) == "lab/D"
    assert server.module.ran == ["D 2", "B 1", "B 2", "B 3"]


# ---------------------------------------------------------------- several apps


FIRST = '''
class Welcome(Page):
    """# Welcome

    {{ app }} {{ C.NAME }} {{ player.context.shout }}"""

    def after_once(page, player):
        player.score = 1
        if player.get("jump"):
            move_to_page(player, player.jump)

class Same(Page):
    """# Same"""

class C:
    NAME = "one"

class Context(PlayerContext):
    @property
    def shout(self):
        return self.player.name.upper()

def new_session(session):
    session.apps = [session.app]

def new_player(player):
    player.apps = [player.app]

page_order = [Welcome, Same]
'''
SECOND = '''
class Play(Page):
    """# Play

    {{ app }} {{ C.NAME }}"""

    def before_once(page, player):
        player.score += 10
        player.before = player.within(app="lab").score

class Same(Page):
    """# Same"""

class C:
    NAME = "two"

def new_session(session):
    session.apps.append(session.app)

def new_player(player):
    player.apps.append(player.app)

def page_order(player):
    ran.append(f"order {player.app} {player.get('score')}")
    return [Play, Same] if player.get("score") else [Same, Play]
'''


async def test_several_apps_in_one_study(serve: Serve, journal: Journal) -> None:
    server = await serve(FIRST, apps={"market": SECOND}, journal=journal)
    player = await server.player()
    assert (player.apps, player.session.apps) == (["lab", "market"], ["lab", "market"])
    html = (await server.page()).html
    assert "lab one" in html
    assert player.name.upper() in html
    assert (player.page_order, player.app) == (["lab/Welcome", "lab/Same"], "lab")
    await server.submit()
    await server.restart()
    assert await where(server) == "lab/Same"
    await server.submit()
    player = await server.player()
    assert await where(server) == "market/Play"
    assert "market two" in (await server.page()).html
    assert (player.app, player.score, player.before) == ("market", 11, 1)
    assert server.experiments.get("market").module.ran == ["order market 1"]
    assert player.page_order == ["lab/Welcome", "lab/Same", "market/Play", "market/Same"]
    await server.submit()
    assert await where(server) == "market/Same"


@pytest.mark.parametrize(
    ("target", "expected"), [("Play", "market/Play"), ("market/Same", "market/Same"), ("Same", "lab/Same")]
)
async def test_a_move_into_an_app_ahead_decides_its_order(serve: Serve, target: str, expected: str) -> None:
    server = await serve(FIRST, apps={"market": SECOND})
    player = await server.player()
    await server.act(lambda: setattr(player, "jump", target))
    await server.submit()
    await settle()
    assert await where(server) == expected


async def test_position_one_is_the_second_app_as_a_whole_and_the_end_is_behind_all(serve: Serve) -> None:
    server = await serve(FIRST, apps={"market": SECOND})
    assert len((await server.player())._about["plan"]) == 3
    await server.move(2)
    assert await where(server) == "market/Same"
    player = await server.player()
    assert player.page_order[2:] == ["market/Same", "market/Play"]
    await server.act(lambda: move_to_end(player))
    assert (await server.page()).kind == "end"


# ---------------------------------------------------------------- Back


BACK = '''
class Shown(Page):
    """# Shown"""

    allow_back = True
    keep_values = True

    def before_once(page, player):
        ran.append(f"{page.__name__} before")

    def after_once(page, player):
        ran.append(f"{page.__name__} after")

class One(Shown):
    """# One

    {{ fields() }}"""

    fields = dict(name_=StringField(label="Name"))

class Hidden(Page):
    """# Hidden"""

    def show(page, player):
        return False

class Two(Shown):
    """# Two

    {{ fields() }}"""

    fields = dict(age=IntegerField(label="Age"), code=StringField(label="Code"))

class Three(Shown):
    """# Three"""

class Four(Page):
    """# Four"""

page_order = [One, Hidden, Two, %s]
'''


async def test_back_leads_to_the_page_that_was_shown_and_keeps_what_was_filled_in(serve: Serve) -> None:
    server = await serve(BACK % "Three, Four")
    assert 'name="_back"' not in (await server.page()).html
    await server.back()
    assert await where(server) == "lab/One"
    await server.submit(data={"name_": "Ada"})
    assert 'name="_back"' in (await server.page()).html
    await server.back(data={"age": "41", "code": ""})
    assert await where(server) == "lab/One"
    assert "Ada" in (await server.page()).html
    await server.submit(data={"name_": "Ada L."})
    player = await server.player()
    assert (await where(server), player.name_, player.get("age")) == ("lab/Two", "Ada L.", None)
    assert 'value="41"' in (await server.page()).html
    await server.submit(data={"age": "42", "code": "x"})
    assert server.module.ran == ["One before", "One after", "Two before", "Two after", "Three before"]
    await server.back()
    assert 'value="42"' in (await server.page()).html
    await server.submit(data={"age": "43", "code": "x"})
    await server.submit()
    assert await where(server) == "lab/Four"
    await server.back()  # Four does not allow it
    assert await where(server) == "lab/Four"


async def test_back_stays_within_the_round_and_comes_once(serve: Serve) -> None:
    server = await serve(BACK % "Rounds(Three, Four, Three, n=2)")
    await server.submit(data={"name_": "Ada"})
    await server.submit(data={"age": "41", "code": "x"})
    assert await where(server) == "lab/Three@1"
    await server.back()
    assert await where(server) == "lab/Three@1"
    await server.submit()
    await server.submit()
    stay = (await server.player())._about["stay"]
    for _ in range(3):
        await server.submit(1, stay, {"_back": "1"})
    assert (await where(server), (await server.player()).show_page) == ("lab/Four@1", 4)


PARTNERS = """
class Pair(GroupCreatingWait):
    group_size = 2

class Meet(SynchronizingWait):
    synchronize = "session"
"""


@pytest.mark.parametrize("wait", ["Pair", "Meet"])
async def test_back_does_not_lead_behind_a_wait_page(serve: Serve, wait: str) -> None:
    """Who went back would form a second group there, and the partner would wait for somebody who waits too."""
    server = await serve(PARTNERS + BACK % f"{wait}, Three, Three, Four", players=2)
    for player in (1, 2):
        await server.opened(player)
        await server.submit(player, data={"name_": "Ada"})
        await server.submit(player, data={"age": "41", "code": "x"})
    await settle()
    assert (await where(server), (await server.player()).show_page) == ("lab/Three", 4)
    assert 'name="_back"' not in (await server.page()).html
    await server.back()
    assert (await where(server), (await server.player()).show_page) == ("lab/Three", 4)
    await server.submit()
    assert 'name="_back"' in (await server.page()).html
    await server.back()
    assert (await where(server), (await server.player()).show_page) == ("lab/Three", 4)
