"""Submissions: checked, stored and answered once, by their ids; what is stale or repeated changes nothing."""

from __future__ import annotations

import asyncio

import pytest

from promptgrimoire.errors import AuthorError, Refused
from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

QUIZ = '''
class One(Page):
    """# One

    {{ fields() }}"""

    fields = dict(
        sum=RadioField(label="Two and two", choices=[3, 4], correct=4, hint="Count again."),
        age=IntegerField(label="Age", min=0, optional=True),
        motto=StringField(label="Motto", default="none"),
    )

    def validate(page, player, data):
        player.checks = player.get("checks", 0) + 1
        if data["motto"] == "text":
            return "Not this one."
        if data["motto"] == "list":
            return ["First.", "Second."]
        if data["motto"] == "dict":
            return {"motto": "Wrong motto.", "age": None}

    def after_once(page, player):
        ran.append(f"after {player.motto}")

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''
RIGHT = {"sum": "4", "motto": "mine"}


async def where(server: Server, player: int = 1) -> str:
    found: str = (await server.player(player))._about["page"]
    return found


async def test_errors_come_with_the_answer_and_what_was_entered(serve: Serve) -> None:
    server = await serve(QUIZ)
    answer = await server.submit(data={"sum": "3", "age": "-1", "motto": "<b>kept</b>"})
    assert answer is not None
    assert (answer.kind, answer.status) == ("page", 422)
    assert "Count again." in answer.html
    assert "&lt;b&gt;kept&lt;/b&gt;" in answer.html
    player = await server.player()
    assert player.fields() == {"sum_attempts": 1}
    assert await where(server) == "lab/One"
    assert "Count again." not in (await server.page()).html


@pytest.mark.parametrize(
    ("motto", "expected"),
    [("text", ["Not this one."]), ("list", ["First.", "Second."]), ("dict", ["Wrong motto."])],
)
async def test_validate_may_return_a_text_a_list_or_a_dict(serve: Serve, motto: str, expected: list[str]) -> None:
    server = await serve(QUIZ)
    answer = await server.submit(data={**RIGHT, "motto": motto})
    assert answer is not None
    assert answer.status == 422
    assert all(text in answer.html for text in expected)
    player = await server.player()
    assert (player.checks, player.get("motto")) == (1, None)  # what the hook wrote is kept, the answers are not stored
    assert await server.submit(data=RIGHT) is None
    assert (await server.player()).checks == 2


async def test_validate_that_returns_something_else_is_the_authors_mistake(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def validate(page, player, data):
                return False

        page_order = [One]
        '''
    )
    with pytest.raises(AuthorError, match=r"lab\.py:\d+: validate: expected None, a text"):
        await server.submit()
    assert await where(server) == "lab/One"


async def test_evidence_24_a_repeated_submission_gets_its_answer_again_and_runs_nothing(
    serve: Serve, journal: Journal
) -> None:
    server = await serve(QUIZ, journal=journal)
    wrong = {**RIGHT, "motto": "text"}
    answers = await asyncio.gather(*(server.submit(data=wrong, submission="a") for _ in range(3)))
    await server.restart()
    answers.append(await server.submit(data=wrong, submission="a"))
    assert [answer.status if answer else 0 for answer in answers] == [422] * 4
    assert all("Not this one." in answer.html for answer in answers if answer)
    player = await server.player()
    assert (player.checks, player.sum_attempts) == (1, 1)
    await server.submit(data=wrong, submission="b")
    assert (player.checks, player.sum_attempts) == (2, 2)


async def test_evidence_24_a_submission_twice_at_once_advances_once(serve: Serve) -> None:
    server = await serve(QUIZ)
    stay = (await server.player())._about["stay"]
    for ids in (["a", "a"], ["b", "c"]):
        answers = await asyncio.gather(*(server.submit(1, stay, RIGHT, submission=one) for one in ids))
        assert answers == [None, None]
    assert server.module.ran == ["after mine"]
    assert await where(server) == "lab/Two"


async def test_an_id_that_comes_back_with_other_answers_is_another_submission(serve: Serve) -> None:
    """A browser that goes back to the page it left has the id still in its form."""
    server = await serve(QUIZ)
    answer = await server.submit(data={**RIGHT, "motto": "text"}, submission="a")
    assert answer is not None
    assert await server.submit(data=RIGHT, submission="a") is None
    assert await where(server) == "lab/Two"


async def test_evidence_24_a_stale_page_neither_advances_nor_overwrites(serve: Serve) -> None:
    server = await serve(QUIZ)
    stay = (await server.player())._about["stay"]
    await server.submit(data=RIGHT)
    assert await server.submit(1, stay, {**RIGHT, "motto": "late"}) is None
    player = await server.player()
    assert (player.motto, await where(server)) == ("mine", "lab/Two")
    await server.move("One")
    assert await server.submit(1, stay, {**RIGHT, "motto": "late"}) is None
    assert (player.motto, await where(server)) == ("mine", "lab/One")


async def test_evidence_13_20_calls_of_a_page_run_before_its_form_is_stored(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            fields = dict(bid=IntegerField(label="Bid"))

            @live
            async def draw(page, player):
                await gates.wait("draw")
                player.drawn = player.get("bid", "nothing")

            def validate(page, player, data):
                if not player.get("drawn"):
                    return "Draw first."

        class Two(Page):
            """# Two"""

        page_order = [One, Two]
        '''
    )
    one = await server.opened()
    one.invoke("draw")
    submitting = asyncio.ensure_future(server.submit(data={"bid": "3"}))
    await settle()
    server.gates.open("draw")
    assert await submitting is None
    player = await server.player()
    assert (player.drawn, player.bid) == ("nothing", 3)
    n = one.invoke("draw")
    await settle()
    assert one.settled[n]["code"] == "stale"


HOOKS = '''
class One(Page):
    """# One"""

    fields = dict(code=StringField(label="Code"), pin=StringField(label="PIN"))
    stealth_fields = ["pin"]

    async def handle_stealth_fields(page, player, data):
        player.tries = player.get("tries", 0) + 1
        await asyncio.sleep(0)
        if data["pin"] != "1234":
            return {"pin": "Wrong PIN."}

    def may_proceed(page, player):
        player.asked = player.get("asked", 0) + 1
        return player.asked > 1

    def after_once(page, player):
        ran.append("after")
        if player.get("fail"):
            raise ValueError("on purpose")

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''


async def test_what_was_stored_is_kept_where_a_later_hook_refuses(serve: Serve) -> None:
    server = await serve(HOOKS)
    answer = await server.submit(data={"code": "a", "pin": "1"})
    assert answer is not None
    assert "Wrong PIN." in answer.html
    player = await server.player()
    assert player.fields() == {"code": "a", "tries": 1}
    answer = await server.submit(data={"code": "b", "pin": "1234"})
    assert answer is not None
    assert "cannot go on yet" in answer.html
    assert player.fields() == {"code": "b", "tries": 2, "asked": 1}
    assert await server.submit(data={"code": "b", "pin": "1234"}) is None
    assert server.module.ran == ["after"]
    assert await where(server) == "lab/Two"


async def test_evidence_2_only_an_exception_undoes(serve: Serve) -> None:
    server = await serve(HOOKS.replace("await asyncio.sleep(0)", "pass").replace("> 1", "> 0"))
    await server.act(lambda: setattr(server_player(server), "fail", True))
    with pytest.raises(ValueError, match="on purpose"):
        await server.submit(data={"code": "a", "pin": "1234"}, submission="a")
    player = await server.player()
    assert player.fields() == {"fail": True}
    await server.act(lambda: setattr(player, "fail", False))
    assert await server.submit(data={"code": "a", "pin": "1234"}, submission="a") is None
    assert (player.code, player.tries, server.module.ran) == ("a", 1, ["after", "after"])


def server_player(server: Server) -> object:
    return server.gateway._hosts[server.session].state.player(1)


SLOW_CHECK = '''
class One(Page):
    """# One"""

    fields = dict(code=StringField(label="Code"))

    async def validate(page, player, data):
        ran.append("validate")
        await gates.wait("check")
        return None if data["code"] == "right" else "Wrong."

    def after_once(page, player):
        ran.append("after")

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''


@pytest.mark.parametrize("code", ["right", "wrong"])
async def test_a_check_that_takes_longer_than_the_grace_is_joined_by_posting_again(serve: Serve, code: str) -> None:
    server = await serve(SLOW_CHECK)
    first = asyncio.ensure_future(server.submit(data={"code": code}, submission="a"))
    await server.clock.advance(11)
    with pytest.raises(Refused):
        await first
    again = asyncio.ensure_future(server.submit(data={"code": code}, submission="a"))
    await settle()
    server.gates.open("check")
    answer = await again
    assert server.module.ran == ["validate"] + ["after"] * (code == "right")
    assert (answer is None) == (code == "right")
    assert await where(server) == ("lab/Two" if code == "right" else "lab/One")


@pytest.mark.parametrize("code", ["right", "wrong"])
async def test_who_is_moved_while_being_checked_is_not_stored(serve: Serve, code: str) -> None:
    server = await serve(SLOW_CHECK)
    submitting = asyncio.ensure_future(server.submit(data={"code": code}))
    await settle()
    await server.move("Two")
    server.gates.open("check")
    assert await submitting is None
    player = await server.player()
    assert (player.get("code"), player._about.get("answer"), server.module.ran) == (None, None, ["validate"])
    assert await where(server) == "lab/Two"


# ---------------------------------------------------------------- crashes


PHASES = '''
class One(Page):
    """# One"""

    fields = dict(code=StringField(label="Code"))

    {a}def after_once(page, player):
        ran.append("after_once")
        player.bonus = player.get("bonus", 0) + 1
        {wait}
        player.whole = True

    def after_always_once(page, player):
        ran.append("after_always_once")

class Two(Page):
    """# Two"""

    def before_once(page, player):
        player.entered = player.get("entered", 0) + 1

page_order = [One, Two]
'''


async def test_evidence_24_a_crash_while_a_hook_waits_counts_it_as_run_and_goes_on(serve: Serve) -> None:
    server = await serve(PHASES.format(a="async ", wait='await gates.wait("never")'))
    submitting = asyncio.ensure_future(server.submit(data={"code": "x"}, submission="a"))
    await settle()
    assert server.module.ran == ["after_once"]
    await server.restart()
    submitting.cancel()
    player = await server.player()
    assert server.module.ran == ["after_once", "after_always_once"]
    assert (player.code, player.bonus, player.get("whole"), player.entered) == ("x", 1, None, 1)
    assert await where(server) == "lab/Two"
    assert player._about["leaving"] is None
    assert await server.submit(1, 1, {"code": "x"}, submission="a") is None
    assert await where(server) == "lab/Two"


async def test_evidence_1_a_crash_before_the_disk_has_it_lets_the_submission_come_again(serve: Serve) -> None:
    server = await serve(PHASES.format(a="", wait=""))
    server.journal.hold()
    submitting = asyncio.ensure_future(server.submit(data={"code": "x"}, submission="a"))
    await settle()
    assert not submitting.done()
    await server.restart()
    submitting.cancel()
    assert await where(server) == "lab/One"
    assert await server.submit(data={"code": "x"}, submission="a") is None
    player = await server.player()
    assert (player.code, player.bonus, player.entered) == ("x", 1, 1)


async def test_a_crash_between_leaving_and_entering_enters_once(serve: Serve) -> None:
    server = await serve(PHASES.format(a="", wait=""))
    host = await server.host()
    journal = server.journal
    append, kept = journal.append, []

    def append_leaving_only(listener: object, row: object, description: object = None) -> None:
        kept.append(row)
        append(listener, row, description)
        if len(kept) == 1:
            journal.release()
            journal.hold()  # what follows never reaches the disk

    await host.durable()
    journal.append = append_leaving_only
    submitting = asyncio.ensure_future(server.submit(data={"code": "x"}, submission="a"))
    await settle()
    journal.append = append
    assert len(kept) >= 2
    await server.restart()
    submitting.cancel()
    player = await server.player()
    assert (player.bonus, player.entered, await where(server)) == (1, 1, "lab/Two")
    assert server.module.ran.count("after_once") == 1


# ---------------------------------------------------------------- time is up


TIMED = '''
class One(Page):
    """# One"""

    fields = dict(
        age=IntegerField(label="Age", default=30),
        mood=StringField(label="Mood", default="good"),
        code=StringField(label="Code"),
    )

    def validate(page, player, data):
        ran.append("validate")

    def may_proceed(page, player):
        ran.append("may_proceed")

    def after_once(page, player, timed_out):
        ran.append(f"after_once {timed_out}")

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''


async def test_evidence_44_an_answer_that_nobody_gave_is_missing_and_hooks_can_tell(serve: Serve) -> None:
    server = await serve(TIMED)
    host = await server.host()
    player = await server.player()
    host.flow.time_out(player, player._about["stay"])
    await settle()
    assert player.fields() == {"age": None, "mood": None, "code": None}
    assert server.module.ran == ["after_once True"]
    assert await where(server) == "lab/Two"
    host.flow.time_out(player, 1)
    await settle()
    assert await where(server) == "lab/Two"


async def test_evidence_44_of_what_the_browser_posts_at_the_end_the_touched_and_valid_is_stored(serve: Serve) -> None:
    server = await serve(TIMED)
    host = await server.host()
    player = await server.player()
    private = host.flow.private(1)
    data = {"age": "41", "mood": "good", "code": "", "_touched": "age,code", "_timed_out": "1"}
    await server.act(lambda: host.state.writing().assign(private, "deadline", server.clock.now() + 60))
    answer = await server.submit(data=data)
    assert answer is not None  # far too early: an ordinary submission, whose code is missing
    assert answer.status == 422
    await server.clock.advance(59)
    assert await server.submit(data=data) is None
    assert player.fields() == {"age": 41, "mood": None, "code": None}
    assert server.module.ran == ["after_once True"]


async def test_time_that_is_up_overtakes_a_check_that_never_ends(serve: Serve) -> None:
    server = await serve(SLOW_CHECK)
    submitting = asyncio.ensure_future(server.submit(data={"code": "right"}))
    await settle()
    host = await server.host()
    player = await server.player()
    host.flow.time_out(player, player._about["stay"])
    await settle()
    assert await where(server) == "lab/Two"
    server.gates.open("check")
    assert await submitting is None
    assert player.code is None
    assert server.module.ran == ["validate", "after"]


UNASKED = '''
class One(Page):
    """# One"""

    def after_once(page, player):
        ran.append("after_once")

    {a}def after_always_once(page, player):
        {wait}
        ran.append("after_always_once")
        if not player.get("mended"):
            raise ValueError("on purpose")

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''


@pytest.mark.parametrize("way", ["time_out", "advance"])
@pytest.mark.parametrize("waits", [False, True])
async def test_who_is_released_into_a_failing_hook_is_held_and_may_try_again(
    serve: Serve, way: str, waits: bool
) -> None:
    server = await serve(
        UNASKED.format(a="async " if waits else "", wait="await asyncio.sleep(0)" if waits else "pass")
    )
    one = await server.opened()
    host = await server.host()
    player = await server.player()
    if way == "time_out":
        host.flow.time_out(player, one.stay)
    else:
        await server.act(lambda: host.flow.advance(player, one.stay))
    await settle()
    assert one.reloads == 1
    reference = host.errors[-1][1]
    for _ in range(2):
        rendering = await server.page()
        assert (rendering.kind, rendering.reference) == ("held", reference)
        assert await server.submit() is None  # from a tab that still shows the page
        host = await server.restart()
    await host.retry(host._token(1))
    assert (await server.page()).kind == "held"
    player = await server.player()
    await server.act(lambda: setattr(player, "mended", True))
    await host.retry(host._token(1))
    assert await where(server) == "lab/Two"
    assert server.module.ran.count("after_once") == (1 if waits else 3)


async def test_a_release_survives_a_crash_and_is_nothing_where_the_stay_is_over(serve: Serve) -> None:
    server = await serve(UNASKED.format(a="", wait="player.mended = True"))
    host = await server.host()
    player = await server.player()
    run_later = host.flow._depart
    host.flow._depart = lambda *arguments: None  # type: ignore[method-assign]  # the server dies before it begins
    await server.act(lambda: host.flow.advance(player, 1))
    host.flow._depart = run_later  # type: ignore[method-assign]
    await host.durable()
    host = await server.restart()
    assert await where(server) == "lab/Two"
    player = await server.player()
    for stay in (1, 99):
        await server.act(lambda stay=stay: host.flow.advance(player, stay))  # type: ignore[misc]
        host.flow.advance(player, stay)
        await settle()
    assert await where(server) == "lab/Two"


async def test_evidence_42_a_hook_that_fails_after_its_request_was_answered_is_shown(serve: Serve) -> None:
    server = await serve(UNASKED.format(a="async ", wait='await gates.wait("after")'))
    submitting = asyncio.ensure_future(server.submit())
    await server.clock.advance(11)
    answer = submitting.result()
    assert answer is not None
    assert answer.kind == "moment"
    server.gates.open("after")
    await settle()
    host = await server.host()
    rendering = await server.page()
    assert (rendering.kind, rendering.reference) == ("held", host.errors[-1][1])
    player = await server.player()
    await server.act(lambda: setattr(player, "mended", True))
    await host.retry(host._token(1))
    assert await where(server) == "lab/Two"
    assert server.module.ran == ["after_once", "after_always_once", "after_always_once"]
