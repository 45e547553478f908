"""What a participant's page needs around the author's part of it: the client's addresses and texts, the app's files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from promptgrimoire.authoring.pages import PageSpec
from promptgrimoire.web.assets import Assets

_STYLE = "style/grimoire.css"
_MAIN = "grimoire/main.js"
_EARLY = "grimoire/early.js"


class PageAssets:
    """Addresses as Base.html asks for them."""

    def __init__(self, assets: Assets) -> None:
        names = assets.paths()
        self.style = assets.url(_STYLE) if _STYLE in names else ""
        self.main = assets.url(_MAIN)
        modules = [name for name in names if name.startswith("grimoire/") and name.endswith(".js")]
        self.modules = [assets.url(name) for name in modules if name not in (_EARLY,)]
        self.early = assets.text(_EARLY)


def page_frame(assets: Assets) -> Callable[[PageSpec, dict[str, Any]], dict[str, Any]]:
    """Gives the function that adds to a page's context what Base.html needs."""
    shared = PageAssets(assets)

    def frame(spec: PageSpec, config: dict[str, Any]) -> dict[str, Any]:
        return {
            "assets": shared,
            "page_config": config,
            "appstatic": lambda path: f"/app-static/{spec.app}/{path}",
            "projectstatic": lambda path: f"/app-static/{spec.app}/{path}",
        }

    return frame
