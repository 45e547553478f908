"""Whom notify reaches: pages, rounds, kept messages, names."""

from __future__ import annotations

from tests.engine.conftest import Serve
from tests.engine.stage import code_of, settle

LAB = '''
class One(Page):
    """# One"""

    @live
    def tell(page, player, text: str, keep: bool = False):
        notify(player, others_in_session(player), text, keep=keep)

    @live
    def tell_others(page, player, text: str):
        send_to(others_in_session(player), text, keep=True)

    @live
    def tell_page(page, player, text: str):
        notify(player, player.session, text, where=Two)

    @live
    def named(page, player, event: str):
        notify(player, player.session, {"type": "bye", "reason": "gone"}, event=event)

    @live
    def rename(page, player, label: str):
        player.label = label

class Two(Page):
    """# Two"""

page_order = [One, Two]
'''


async def test_notify_reaches_those_on_the_senders_page_also_where_it_is_kept(serve: Serve) -> None:
    server = await serve(LAB, players=4)
    await server.submit(3)
    one, two, three = [await server.opened(player) for player in (1, 2, 3)]
    await one.ask("tell", "hello")
    await one.ask("tell", "kept", True)
    await one.ask("tell_page", "over there")
    await settle()
    assert two.events == ["hello", "kept"]
    assert three.events == ["over there"]
    four = await server.opened(4)  # was on the page, without a browser
    assert four.events == ["kept"]
    host = await server.restart()
    assert [len(host.deliveries.of(player).kept) for player in (1, 2, 3, 4)] == [0, 1, 0, 1]


async def test_what_was_kept_for_everybody_is_not_for_those_who_come_later(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one = await server.opened()
    await one.ask("tell", "kept", True)
    await (await server.host()).join(visitor="late")
    await server.gateway._snapshots[server.session].take()
    for host in (await server.host(), await server.restart()):
        assert [len(host.deliveries.of(player).kept) for player in (1, 2, 3)] == [0, 1, 0]


async def test_what_was_kept_for_the_others_is_not_kept_for_oneself_after_a_restart(serve: Serve) -> None:
    server = await serve(LAB, players=3)
    one = await server.opened()
    await one.ask("tell_others", "kept")
    for host in (await server.host(), await server.restart()):
        assert [len(host.deliveries.of(player).kept) for player in (1, 2, 3)] == [0, 1, 1]
    await one.connect()
    two = await server.opened(2)
    assert (one.events, two.events) == ([], ["kept"])


async def test_an_event_cannot_pass_for_a_message_of_the_framework(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    assert code_of(await one.ask("named", "!go")) == "error"
    assert await one.ask("named", "go!") is None
    assert two.byes == one.byes == []


async def test_a_new_label_replaces_the_old_one_before_and_after_a_restart(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    for label in ("first", "second", "third"):
        await one.ask("rename", label)
    host = await server.host()
    assert host.state.labels == {"third": 1}
    assert (await server.restart()).state.labels == {"third": 1}
