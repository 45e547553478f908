"""A player's way through the pages: hooks once, two transactions for a submission, nobody stuck, nobody twice."""

from __future__ import annotations

import asyncio

import pytest

from promptgrimoire.commands import Administered
from promptgrimoire.runtime.activities import Awaited
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

LAB = '''
class One(Page):
    """# One"""

    def show(page, player):
        ran.append("One.show")

    def before_once(page, player):
        ran.append("One.before_once")
        player.session.entered += 1

    def after_once(page, player):
        ran.append("One.after_once")
        player.bonus = player.get("bonus", 0) + 1

class Hidden(Page):
    """# Hidden"""

    def show(page, player):
        return False

    def before_once(page, player):
        ran.append("never")

class Two(Page):
    """# Two"""

    async def before_once(page, player):
        ran.append("Two.before_once begins")
        player.half = True
        await gates.wait("two")
        ran.append("Two.before_once ends")
        player.whole = True

    def after_once(page, player):
        ran.append("Two.after_once")

class Three(Page):
    """# Three"""

def new_session(session):
    session.entered = 0

async def new_player(player):
    ran.append("new_player")
    player.made = player.get("made", 0) + 1

page_order = [One, Hidden, Two, Three]
'''


async def where(server: Server, player: int = 1) -> str:
    found: str = (await server.player(player))._about["page"]
    return found


# ---------------------------------------------------------------- joining


async def test_evidence_24_new_player_runs_once_for_double_clicks(serve: Serve) -> None:
    server = await serve(LAB, players=0)
    host = await server.host()
    tokens = await asyncio.gather(*(host.join(visitor="me") for _ in range(5)))
    assert len(set(tokens)) == 1
    assert server.module.ran.count("new_player") == 1
    host = await server.restart()
    assert await host.join(visitor="me") == tokens[0]
    assert host.state.player(1).made == 1


async def test_evidence_26_the_same_label_twice_at_once_is_one_player(serve: Serve) -> None:
    server = await serve(LAB, players=0)
    host = await server.host()
    joins = [host.join(visitor=f"v{n}", label="P7", params={"n": str(n)}) for n in range(4)]
    tokens = await asyncio.gather(*joins, host.join(visitor="v9", label="P8"))
    assert len(set(tokens)) == 2
    assert len(host.state.everybody) == 2
    host = await server.restart()
    assert await host.join(label="P7") == tokens[0]
    assert host.state.player(1).params == {"n": "0"}


async def test_evidence_25_looking_creates_nobody_and_moves_nobody(serve: Serve) -> None:
    server = await serve(LAB, players=1)
    host = await server.host()
    assert await host.visitor_token("somebody") is None
    before = list(server.module.ran)
    for _ in range(3):
        assert (await server.page()).kind == "page"
    assert server.module.ran == before
    assert len(host.state.everybody) == 1


SLOW_JOIN = '''
class One(Page):
    """# One"""

    def before_once(page, player):
        ran.append(f"entered {player.ready}")

async def new_player(player):
    ran.append("new_player")
    player.ready = False
    await gates.wait("ready")
    if player.get("fail"):
        raise ValueError("on purpose")
    player.ready = True

page_order = [One]
'''


async def test_nobody_enters_a_page_before_new_player_has_finished(serve: Serve) -> None:
    server = await serve(SLOW_JOIN, players=0)
    host = await server.host()
    joining = asyncio.ensure_future(host.join(visitor="me"))
    await settle()
    token = await host.join(visitor="me")
    assert (await host.page(token)).kind == "moment"
    assert server.module.ran == ["new_player"]
    server.gates.open("ready")
    assert await joining == token
    assert server.module.ran == ["new_player", "entered True"]
    assert (await host.page(token)).kind == "page"


async def test_somebody_whose_new_player_was_cut_off_is_not_stuck(serve: Serve) -> None:
    server = await serve(SLOW_JOIN, players=0)
    joining = asyncio.ensure_future((await server.host()).join(visitor="me"))
    await settle()
    host = await server.restart()
    token = await host.join(visitor="me")
    assert (await host.page(token)).kind == "page"
    assert server.module.ran == ["new_player", "entered False"]
    joining.cancel()


async def test_a_failing_new_player_leaves_nobody_behind_and_is_reported(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

        def new_player(player):
            player.session.tries += 1
            if player.session.get("fail", True):
                raise ValueError("on purpose")

        def new_session(session):
            session.tries = 0

        page_order = [One]
        ''',
        players=0,
    )
    host = await server.host()
    with pytest.raises(ValueError, match="on purpose"):
        await host.join(visitor="me", label="L")
    assert len(host.state.everybody) == 0
    assert host.state.visitors == host.state.labels == host.state.tokens == host.state.names == {}
    assert host.errors[-1][2:] == ("new_player", "ValueError('on purpose')")
    assert host.state.session.tries == 0


# ---------------------------------------------------------------- hooks once


async def test_evidence_24_once_hooks_run_once_for_reloads_double_clicks_and_two_tabs(serve: Serve) -> None:
    server = await serve(LAB)
    assert server.module.ran == ["new_player", "One.show", "One.before_once"]
    stay = (await server.player())._about["stay"]
    for _ in range(3):
        await server.opened()
    server.gates.open("two")
    await asyncio.gather(*(server.submit(1, stay) for _ in range(4)))
    assert server.module.ran[3:] == ["One.after_once", "Two.before_once begins", "Two.before_once ends"]
    assert await where(server) == "lab/Two"
    player = await server.player()
    assert (player.bonus, player.session.entered) == (1, 1)
    await server.submit(1, stay)
    assert "Two.after_once" not in server.module.ran
    assert await where(server) == "lab/Two"


async def test_evidence_24_coming_back_to_a_page_runs_its_once_hooks_no_more(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def before_once(page, player):
                ran.append("before")

            def after_once(page, player):
                ran.append("after")
                if player.get("backs", 0) < 2:
                    player.backs = player.get("backs", 0) + 1
                    move_to_page(player, One)

        class Two(Page):
            """# Two"""

        page_order = [One, Two]
        '''
    )
    stays = []
    for _ in range(2):
        stays.append((await server.player())._about["stay"])
        await server.submit()
        await settle()
    assert server.module.ran == ["before", "after"]
    assert await where(server) == "lab/Two"
    assert len(set(stays)) == 2


async def test_a_crash_between_leaving_and_entering_is_completed_on_loading(serve: Serve) -> None:
    server = await serve(LAB)
    await server.opened()
    submitting = asyncio.ensure_future(server.submit())
    await settle()
    assert server.module.ran[-1] == "Two.before_once begins"
    assert await where(server) == "lab/Two"
    host = await server.restart()
    player = host.state.player(1)
    assert server.module.ran.count("Two.before_once begins") == 1  # it had suspended: it counts as run
    assert (player.bonus, player.half, player.get("whole")) == (1, True, None)
    assert player._about["moving"] is None
    assert (await server.page()).kind == "page"
    await server.submit()
    assert await where(server) == "lab/Three"
    submitting.cancel()


async def test_a_hook_that_was_cut_off_counts_as_run(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            async def show(page, player):
                ran.append("show")
                await gates.wait("show")

        page_order = [One]
        ''',
        players=0,
    )
    joining = asyncio.ensure_future((await server.host()).join(visitor="me"))
    await settle()
    host = await server.restart()
    assert server.module.ran == ["show"]
    assert (await server.page()).kind == "page"
    assert host.state.player(1)._about["hook"] == ""
    joining.cancel()


async def test_a_crash_before_the_first_commit_of_entering_runs_the_hook_again(serve: Serve) -> None:
    server = await serve(LAB)
    await server.opened()
    server.gates.open("two")
    server.journal.hold()
    submitting = asyncio.ensure_future(server.submit())
    await settle()
    await server.restart()
    submitting.cancel()
    assert await where(server) == "lab/One"
    await server.submit()
    player = await server.player()
    assert (player.bonus, player.whole, player.session.entered) == (1, True, 1)


async def test_a_bug_in_the_next_page_discards_no_form_and_holds_the_player(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def after_once(page, player):
                player.answered = True

        class Two(Page):
            """# Two"""

            def before_once(page, player):
                player.half = True
                ran.append("before_once")
                if not player.get("mended"):
                    raise ValueError("on purpose")

        page_order = [One, Two]
        '''
    )
    one = await server.opened()
    await server.submit()
    host = await server.host()
    player = host.state.player(1)
    assert player.fields() == {"answered": True}
    assert host.errors[-1][2:] == ("lab/Two.before_once", "ValueError('on purpose')")
    rendering = await server.page()
    assert (rendering.kind, rendering.reference) == ("held", host.errors[-1][1])
    assert one.reloads == 1

    host = await server.restart()
    assert (await server.page()).kind == "held"
    await host.retry(host._token(1))
    assert (await server.page()).kind == "held"
    await write(server, "mended", True)
    await host.retry(host._token(1))
    assert (await server.page()).kind == "page"
    assert host.state.player(1).half is True
    assert server.module.ran == ["before_once"] * 3


async def write(server: Server, field: str, value: object) -> None:

    host = await server.host()
    player = host.state.player(1)
    host.step(
        lambda: setattr(player, field, value), Awaited(host, Administered("t", "t"), host.activity(player, "test"))
    )


@pytest.mark.parametrize("hook", ["before_once", "after_once", "show"])
async def test_a_hook_that_fails_after_a_suspension_runs_again(serve: Serve, hook: str) -> None:
    server = await serve(
        f'''
        class One(Page):
            """# One"""

            async def {hook}(page, player):
                ran.append("{hook}")
                player.tries = player.get("tries", 0) + 1
                await asyncio.sleep(0)
                if player.tries < 3:
                    raise ValueError("on purpose")
                player.done = True

        class Two(Page):
            """# Two"""

        page_order = [One, Two]
        '''
    )
    host = await server.host()
    token = host._token(1)
    await settle()
    for _ in range(2):
        if hook == "after_once":
            with pytest.raises(ValueError, match="on purpose"):
                await server.submit()
        else:
            assert (await server.page()).kind == "held"
            await host.retry(token)
            await settle()
    if hook == "after_once":
        await server.submit()
    assert (await server.page()).kind == "page"
    assert host.state.player(1).done is True
    assert server.module.ran == [hook] * 3
    assert await where(server) == ("lab/Two" if hook == "after_once" else "lab/One")


@pytest.mark.parametrize(
    ("hook", "body", "named"),
    [
        ("fields", "return {'x': 1 / 0}", "lab/One.fields"),
        ("async templatevars", "return {'x': 1 / 0}", "lab/One.templatevars"),
        ("jsvars", "return {'x': 1 / 0}", "lab/One.jsvars"),
        ("templatevars", "return {'x': 0}", "showing lab/One"),
    ],
)
async def test_the_log_names_what_failed_when_a_page_is_shown(
    serve: Serve, caplog: pytest.LogCaptureFixture, hook: str, body: str, named: str
) -> None:
    word, _, name = hook.rpartition(" ")
    server = await serve(
        f'''
        class One(Page):
            """# One
            {{{{ 1 / (x|default(1)) }}}}"""

            {word} def {name}(page, player):
                {body}

        page_order = [One]
        '''.replace("             def", "            def")
    )
    rendering = await server.page()
    assert rendering.kind == "held"
    assert (await server.host()).errors[-1][1:3] == (rendering.reference, named)
    assert f"{named} failed" in caplog.text


async def test_evidence_29_a_hook_that_fails_is_shown_to_the_author(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def templatevars(page, player):
                player.seen = True
                return {"x": 1 / player.session.get("divisor", 0)}

            def after_once(page, player):
                raise KeyError("after")

        page_order = [One]
        '''
    )
    host = await server.host()
    rendering = await server.page()
    assert rendering.kind == "held"
    assert host.errors[-1][1:3] == (rendering.reference, "lab/One.templatevars")
    assert rendering.reference in caplog.text
    assert "in templatevars" in caplog.text
    assert "/runtime/" not in caplog.text  # the traceback begins with the author's own line
    assert host.state.player(1).fields() == {}
    with pytest.raises(KeyError):
        await server.submit()
    assert host.errors[-1][2:] == ("lab/One.after_once", "KeyError('after')")
    assert len(host.errors) == 2


async def test_a_move_and_a_submission_never_both_advance(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            async def after_once(page, player):
                await gates.wait("after")

        class Two(Page):
            """# Two"""

        class Three(Page):
            """# Three"""

        def new_player(player):
            after(5, hurry, player)

        def hurry(player):
            move_to_page(player, Two)

        page_order = [One, Two, Three]
        '''
    )
    one = await server.opened()
    submitting = asyncio.ensure_future(server.submit())
    await server.clock.advance(6)
    assert await where(server) == "lab/Two"
    server.gates.open("after")
    await submitting
    await settle()
    assert await where(server) == "lab/Two"
    assert one.reloads >= 1


async def test_evidence_41_42_a_page_order_that_fails_is_no_silent_end(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

        def page_order(player):
            return [One] if player.get("mended") else []
        '''
    )
    host = await server.host()
    assert (await server.page()).kind == "held"
    assert "page_order" in host.errors[-1][3]
    await write(server, "mended", True)
    await host.retry(host._token(1))
    assert (await server.page()).kind == "page"


# ---------------------------------------------------------------- code versions


async def test_evidence_43_a_syntax_error_while_the_server_runs_changes_nothing_until_mended(serve: Serve) -> None:
    source = '''
    class One(Page):
        """# One {{ page.text() }}"""

        def text(page):
            return "OLD"

        @live
        def ask(page, player):
            return page.text()

    page_order = [One]
    '''
    server = await serve(source)
    one = await server.opened()
    good = server.file.read_text()
    server.file.write_text(good + "\ndef broken(:\n")
    assert server.experiments.refresh("lab") is False
    assert "broken" in server.experiments.errors["lab"]
    assert await one.ask("ask") == "OLD"
    server.file.write_text(good.replace("OLD", "NEW"))
    assert server.experiments.refresh("lab") is True
    assert server.experiments.errors == {}
    assert await one.ask("ask") == "NEW"
    assert "NEW" in (await server.page()).html


async def test_mending_the_code_lets_a_held_player_go_on(serve: Serve) -> None:
    source = '''
    class One(Page):
        """# One"""

        def before_once(page, player):
            player.value = 1 / 0

    page_order = [One]
    '''
    server = await serve(source)
    assert (await server.page()).kind == "held"
    server.file.write_text(server.file.read_text().replace("1 / 0", "1 / 1"))
    server.experiments.refresh("lab")
    await settle()
    assert (await server.page()).kind == "page"
    assert (await server.player()).value == 1.0
