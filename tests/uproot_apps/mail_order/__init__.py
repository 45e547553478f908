"""An order form that depends on settings; templates elsewhere; nested answers."""

from promptgrimoire.uproot.fields import *
from promptgrimoire.uproot.smithereens import *

SUGGESTED_MULTIPLE = 3
APP_NAME = __name__
ARTICLES = ["Tea", "Rice", "Salt"]


class C:
    DEFAULT_MOST = 4


def most(session: SessionType) -> int:
    return cast(int, session.settings.get("most", C.DEFAULT_MOST))


def new_player(player: PlayerType) -> None:
    player.orders = {}
    player.seen = set()


class Order(Page):
    template = "mail_order/OrderForm.html"

    @classmethod
    async def fields(page, player: PlayerType) -> dict[str, Field]:
        limit = most(player.session)
        return {article.lower(): IntegerField(label=article, min=0, max=limit, default=0) for article in ARTICLES}

    @classmethod
    async def validate(page, player: PlayerType, data: dict[str, Any]) -> Any:
        player.seen.add(sum(data.values()))
        if sum(data.values()) == 0:
            return ["Nothing is ordered.", "Please order something."]

    @classmethod
    async def after_once(page, player: PlayerType) -> None:
        with player as p:
            for article in ARTICLES:
                p.orders[article] = {"count": p.get(article.lower()), "gift": False}
            p.orders["Tea"]["gift"] = True


class Bill(Page):
    @classmethod
    def jsvars(page, player):
        return dict(orders=player.orders)


page_order = [Order, [Bill]]
