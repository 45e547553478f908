"""Making groups: what an author may hand over, and what is said of anything else."""

from __future__ import annotations

from tests.engine.conftest import Serve

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def make(page, player, what: str):
        members = {"player": player, "list": [player], "number": 3}[what]
        try:
            return [member.id for member in create_group(player.session, members, overwrite=True).players]
        except GrimoireError as error:
            return str(error)

page_order = [Lab]
'''


async def test_a_group_of_one_needs_no_list(serve: Serve) -> None:
    """add_to_group takes a player or several; create_group said that a player is not iterable."""
    server = await serve("from promptgrimoire.errors import GrimoireError\n" + LAB)
    one = await server.opened()
    assert await one.ask("make", "player") == [1]
    assert await one.ask("make", "list") == [1]
    assert await one.ask("make", "number") == "expected a player or a list of players as the second argument, found int"
