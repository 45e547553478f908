"""The hooks of a page: all of them, in their order, sync or async, each as often as its name says."""

from __future__ import annotations

import asyncio

import pytest

from promptgrimoire.authoring.pages import PageRequest
from tests.docs.snippets import snippets
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

EVERY = '''
class One(Page):
    """# One"""

    fields = dict(age=IntegerField(label="Age"), code=StringField(label="Code"))
    stealth_fields = "code"

    {a}def early(page, player, request):
        ran.append(f"early {{request and request.params['n']}}")

    {a}def before_always_once(page, player):
        ran.append("before_always_once")

    {a}def show(page, player):
        ran.append("show")
        return True

    {a}def before_once(page, player):
        ran.append("before_once")

    {a}def templatevars(page, player):
        ran.append("templatevars")

    {a}def jsvars(page, player):
        ran.append("jsvars")

    {a}def validate(page, player, data):
        ran.append(f"validate {{data}}")

    {a}def before_form_save(page, player, data):
        ran.append(f"before_form_save {{hasattr(player, 'age')}}")
        data["age"] += 1

    {a}def handle_stealth_fields(page, player, data):
        ran.append(f"handle_stealth_fields {{player.age}} {{data}}")

    {a}def may_proceed(page, player):
        ran.append("may_proceed")
        return True

    {a}def after_once(page, player):
        ran.append("after_once")

    {a}def after_always_once(page, player, timed_out):
        ran.append(f"after_always_once {{timed_out}}")

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''
REQUEST = PageRequest("POST", {"n": "7"}, {}, "127.0.0.1")


async def where(server: Server, player: int = 1) -> str:
    found: str = (await server.player(player))._about["page"]
    return found


@pytest.mark.parametrize("a", ["", "async "])
async def test_every_hook_in_its_order(serve: Serve, a: str) -> None:
    server = await serve(EVERY.format(a=a), players=0)
    host = await server.host()
    await host.join(visitor="me", request=REQUEST)
    await settle()
    ran = server.module.ran
    assert ran == ["early 7", "before_always_once", "show", "before_once"]
    ran.clear()
    assert (await server.page()).kind == "page"
    assert ran == ["templatevars", "jsvars"]
    ran.clear()
    assert await server.submit(data={"age": "41", "code": "x7"}) is None
    assert ran == [
        "validate {'age': 41, 'code': 'x7'}",
        "before_form_save False",
        "handle_stealth_fields 42 {'code': 'x7'}",
        "may_proceed",
        "after_once",
        "after_always_once False",
    ]
    player = await server.player()
    assert player.fields() == {"age": 42}
    assert await where(server) == "lab/Two"


async def test_what_is_stealth_reaches_no_journal(serve: Serve) -> None:
    server = await serve(EVERY.format(a=""))
    await server.submit(data={"age": "41", "code": "topsecret"})
    await (await server.host()).durable()
    rows = await server.journal.read(server.session, after=0, limit=1000)
    assert not any(b"topsecret" in row.text + row.values for row in rows)
    assert any(b"41" in row.values for row in rows)


async def test_early_gets_no_request_where_none_led_there(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def early(page, player, request):
                ran.append(request and request.method)

        class Two(One):
            """# Two"""

        class Three(One):
            """# Three"""

        def new_player(player):
            after(5, hurry, player)

        def hurry(player):
            move_to_page(player, Three)

        page_order = [One, Two, Three]
        '''
    )
    await server.submit(request=REQUEST)
    await server.clock.advance(6)
    assert server.module.ran == [None, "POST", None]
    assert await where(server) == "lab/Three"


SKIPPED = '''
class One(Page):
    """# One"""

class Logic(NoshowPage):
    def before_always_once(page, player):
        ran.append("Logic.before_always_once")

    def after_always_once(page, player):
        ran.append("Logic.after_always_once")

class Hidden(Page):
    """# Hidden"""

    def early(page, player, request):
        ran.append("early")

    def before_always_once(page, player):
        ran.append("before_always_once")

    def show(page, player):
        ran.append("show")
        return False

    def before_once(page, player):
        ran.append("never")

    def after_once(page, player):
        ran.append("never")

    def after_always_once(page, player):
        ran.append("after_always_once")

class Three(Page):
    """# Three"""

page_order = [One, Logic, Hidden, Three]
'''


async def test_skipped_pages_and_logic_run_what_always_runs(serve: Serve) -> None:
    server = await serve(SKIPPED)
    await server.submit()
    assert await where(server) == "lab/Three"
    assert server.module.ran == [
        "Logic.before_always_once",
        "Logic.after_always_once",
        "early",
        "before_always_once",
        "show",
        "after_always_once",
    ]
    server.module.ran.clear()
    await server.move(0)
    await server.submit()
    assert await where(server) == "lab/Three"
    assert server.module.ran == ["early", "show"]  # what is once has been


@pytest.mark.parametrize(
    "hook",
    [
        *("early", "before_always_once", "show", "before_once", "validate", "before_form_save"),
        *("handle_stealth_fields", "may_proceed", "after_once", "after_always_once"),
    ],
)
@pytest.mark.parametrize("waits", [False, True])
async def test_an_explicit_move_in_any_hook_beats_the_natural_advance(serve: Serve, hook: str, waits: bool) -> None:
    parameters = {"early": ", request", "validate": ", data", "before_form_save": ", data"}
    parameters["handle_stealth_fields"] = ", data"
    server = await serve(
        f'''
        class One(Page):
            """# One"""

            fields = dict(code=StringField(label="Code", optional=True))
            stealth_fields = ["code"]

            {"async " if waits else ""}def {hook}(page, player{parameters.get(hook, "")}):
                move_to_page(player, Four)
                {"await asyncio.sleep(0)" if waits else ""}
                ran.append("{hook}")

        class Two(Page):
            """# Two"""

        class Three(Page):
            """# Three"""

        class Four(Page):
            """# Four"""

            def before_once(page, player):
                ran.append("Four")

        page_order = [One, Two, Three, Four]
        '''
    )
    await settle()
    if await where(server) == "lab/One":
        await server.submit(data={"code": "x"})
        await settle()
    assert await where(server) == "lab/Four"
    assert server.module.ran == [hook, "Four"]  # the hook that asked has finished before the page is entered
    assert (await server.page()).kind == "page"


async def test_a_timer_moves_a_player_whose_hook_never_ends(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            async def before_once(page, player):
                await gates.wait("never")
                player.late = True

            async def after_once(page, player):
                ran.append("never")

        class Two(Page):
            """# Two"""

            def after_once(page, player):
                ran.append("Two")

        class Three(Page):
            """# Three"""

        def new_player(player):
            after(5, hurry, player)

        def hurry(player):
            move_to_page(player, Two)

        page_order = [One, Two, Three]
        '''
    )
    assert (await server.page()).kind == "moment"
    await server.clock.advance(5)
    assert await where(server) == "lab/Two"
    two = await server.opened()
    server.gates.open("never")
    await settle()
    assert two.reloads == 0  # what the old hook does late does not disturb the page that is shown
    assert (await server.page()).kind == "page"
    await server.submit()
    assert await where(server) == "lab/Three"
    player = await server.player()
    assert (player.late, server.module.ran) == (True, ["Two"])


async def test_a_move_by_somebody_else_beats_being_held(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            async def before_once(page, player):
                await gates.wait("fail")
                raise ValueError("on purpose")

        class Two(Page):
            """# Two"""

        page_order = [One, Two]
        '''
    )
    await settle()
    host = await server.host()
    private = host.flow.private(1)

    await server.act(lambda: host.state.writing().assign(private, "moving", 1))  # asked for, not yet begun
    server.gates.open("fail")
    await settle()
    assert host.errors[-1][3] == "ValueError('on purpose')"
    assert await where(server) == "lab/Two"
    assert (await server.page()).kind == "page"


async def test_a_slow_hook_of_the_next_page_holds_no_request(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

        class Two(Page):
            """# Two"""

            async def before_once(page, player):
                await gates.wait("two")

        page_order = [One, Two]
        '''
    )
    submitting = asyncio.ensure_future(server.submit())
    await server.clock.advance(9)
    assert not submitting.done()
    await server.clock.advance(2)
    assert submitting.done()
    assert submitting.result() is None
    assert (await server.page()).kind == "moment"
    host = await server.host()
    looking = asyncio.ensure_future(host.page(host._token(1), 20))
    await server.clock.advance(15)
    assert not looking.done()
    server.gates.open("two")
    await settle()
    assert looking.result().kind == "page"  # as soon as there is something to see


async def test_an_after_once_that_never_ends_holds_neither_next_nor_calls(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            @live
            def ask(page, player):
                return "here"

            async def after_once(page, player):
                ran.append("begins")
                await gates.wait("after")
                ran.append("ends")

        class Two(Page):
            """# Two"""

        page_order = [One, Two]
        '''
    )
    one = await server.opened()
    first = asyncio.ensure_future(server.submit(submission="a"))
    second = asyncio.ensure_future(server.submit(submission="b"))
    await server.clock.advance(25)
    assert [answer.kind if answer else "" for answer in (first.result(), second.result())] == ["moment", "moment"]
    assert (await server.page()).kind == "moment"
    assert await one.ask("ask") == "here"
    assert server.module.ran == ["begins"]
    server.gates.open("after")
    await settle()
    assert server.module.ran == ["begins", "ends"]
    assert await where(server) == "lab/Two"
    assert one.reloads == 1


async def test_a_page_of_logic_alone_leads_to_the_end(serve: Serve) -> None:
    server = await serve(
        """
        class Logic(NoshowPage):
            async def before_always_once(page, player):
                await asyncio.sleep(0)
                player.seen = player.get("seen", 0) + 1

        page_order = [Logic, Logic]
        """
    )
    await settle()
    assert (await server.page()).kind == "end"
    player = await server.player()
    assert (player.seen, player.completion) == (2, "completed")


async def test_finish_says_how_a_player_ended(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def after_once(page, player):
                finish(player, "screened_out")

        class Two(Page):
            """# Two"""

        class Three(Page):
            """# Three"""
            fields = dict(age=IntegerField())

        page_order = [One, Two, Three]
        '''
    )
    assert (await server.player()).completion == ""
    await server.submit()
    assert (await server.page()).kind == "end"
    assert (await server.player()).completion == "screened_out"
    await server.move("Two")
    assert (await server.player()).completion == ""
    await server.submit()
    assert (await server.player()).completion == ""  # the last page, and it asks
    await server.submit(data={"age": "30"})
    assert (await server.player()).completion == "completed"


async def test_whoever_reads_a_last_page_that_asks_nothing_has_completed(serve: Serve) -> None:
    """Most of them have no button: `completion` stayed empty for everybody."""
    server = await serve(
        '''
        class One(Page):
            """# One"""
            allow_back = True

        class Last(Page):
            """# Thank you"""
            allow_back = True

        page_order = [One, Last]
        '''
    )
    assert (await server.player()).completion == ""
    await server.submit()
    assert (await server.player()).completion == "completed"
    await server.back()
    await settle()
    assert (await server.player())._about["page"].endswith("/One")
    assert (await server.player()).completion == ""
    await server.submit()
    assert (await server.player()).completion == "completed"
    await server.submit()
    assert (await server.page()).kind == "end"
    assert (await server.player()).completion == "completed"


@pytest.mark.parametrize(("adult", "pages", "code"), [("True", 2, "C1A2B3"), ("False", 1, "C4D5E6")])
async def test_the_documented_way_back_to_a_panel(serve: Serve, adult: str, pages: int, code: str) -> None:
    (panel,) = [snippet for snippet in snippets() if snippet.experiment == "panel"]
    server = await serve(panel.code)
    await server.page()
    await server.submit(data={"adult": adult})
    if pages == 2:
        assert (await server.player()).completion == ""
        await server.submit()
    html = (await server.page()).html
    assert f'href="https://app.prolific.com/submissions/complete?cc={code}"' in html
    assert "grimoire-button-next" not in html
    assert (await server.player()).completion == "completed"
