"""What a participant's page needs around the author's part of it: the client's addresses, the app's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from promptgrimoire.authoring.extras import BEHAVIOURS, NAMES
from promptgrimoire.authoring.pages import PageSpec
from promptgrimoire.settings import Limits
from promptgrimoire.web.assets import Assets

_STYLE = "style/grimoire.css"
_MAIN = "grimoire/main.js"
_EARLY = "grimoire/early.js"
_FORMS = "forms/forms.js"
_WAIT = "wait/wait.js"
_TIMES = "times/times.js"
_COUNTDOWN = "countdown/countdown.js"
# What pages load that mention it (see authoring.extras): scripts, styles.
_EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {NAMES: ("uproot/names.js", ""), BEHAVIOURS: ("uproot/behaviours.js", "uproot/behaviours.css")}
)
_TIMEOUT = 60.0  # seconds until the client gives up a call, unless a live method of the page may take longer
_FOR_EVER = 86_400.0  # for methods that have no deadline


class PageAssets:
    """Addresses as Base.html asks for them."""

    def __init__(self, assets: Assets) -> None:
        names = assets.paths()
        self.style = assets.url(_STYLE) if _STYLE in names else ""
        self.main = assets.url(_MAIN)
        modules = [name for name in names if name.startswith("grimoire/") and name.endswith(".js")]
        self.modules = [assets.url(name) for name in modules if name not in (_EARLY,)]
        self.early = assets.text(_EARLY)
        self.forms = assets.url(_FORMS)  # on pages with fields
        self.wait = assets.url(_WAIT)  # on wait pages
        self.times = assets.url(_TIMES)  # on pages that are posted
        self.countdown = assets.url(_COUNTDOWN)  # on pages with a time limit


def page_frame(assets: Assets, limits: Limits | None = None) -> Callable[[PageSpec, dict[str, Any]], dict[str, Any]]:
    """Gives the function that adds to a page's context what Base.html needs."""
    shared = PageAssets(assets)
    most = (limits or Limits()).frame

    def frame(spec: PageSpec, config: dict[str, Any]) -> dict[str, Any]:
        extras = sorted(spec.template.extras) if spec.template is not None else ()
        files = [file for extra in extras for file in _EXTRAS.get(extra, ()) if file]
        return {
            "assets": shared,
            "extra_scripts": [assets.url(file) for file in files if file.endswith(".js")],
            "extra_styles": [assets.url(file) for file in files if file.endswith(".css")],
            "page_config": {**config, "page": spec.key, "limit": most, "timeout": _patience(spec)},
            "appstatic": lambda path: f"/app-static/{spec.app}/{path}",
            "projectstatic": lambda path: f"/app-static/{spec.app}/{path}",
        }

    return frame


def _patience(spec: PageSpec) -> float:
    """Seconds that the client waits for a call: as long as the longest deadline of the page's live methods."""
    deadlines = (method.options.deadline for method in spec.live.values())
    return max([_TIMEOUT, *(_FOR_EVER if deadline is None else deadline for deadline in deadlines)])
