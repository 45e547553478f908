"""Which of the rarely used client files a page needs: told from what its templates and scripts mention.

They are written in the way of uproot: names such as `uproot.mean`, constants as `C.ENDOWMENT`, `data-bs-*` attributes.
A page that mentions none loads none. Never looks at what the names mean (static/uproot/ does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

NAMES = "names"
BEHAVIOURS = "behaviours"
IDS = "ids"  # no file: the buttons have the ids that style sheets of the page name
_NAMES = re.compile(
    r"\b(?:uproot|grimoire)\s*\??\.\s*(?:currentPage|sum|mean|sd|fmtnum|formatForInterface|selectedValue|goBack|alert"
    r"|error|escape|onStart|onInternalEvent|getParam|reload)\b|\bUprootInternalPageTimeout"
)
_CONSTANT = re.compile(r"(?<![\w.$\"'])(?:window\.)?C\.[A-Za-z_]\w*")
_DIALOG = re.compile(r"\b(?:uproot|grimoire)\s*\??\.\s*(?:alert|error)\b")
_BEHAVIOURS = re.compile(
    r"\bdata-bs-(?:toggle|dismiss)\b|\bbootstrap\.Modal\b|[\"'\s](?:nav-link|tab-pane|accordion|modal-dialog)[\"'\s]"
)
_IDS = re.compile(r"#uproot-button-(?:next|back)\b")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def extras_of(texts: Iterable[str]) -> frozenset[str]:
    """What these templates and scripts need of NAMES, BEHAVIOURS and IDS."""
    found: set[str] = set()
    for text in texts:
        plain = _JINJA.sub(" ", text)  # what stands there is the server's
        if _NAMES.search(plain) or ("<script" in plain and _CONSTANT.search(plain)):
            found.add(NAMES)
        if _BEHAVIOURS.search(plain) or _DIALOG.search(plain):
            found.add(BEHAVIOURS)
        if _IDS.search(plain):
            found.add(IDS)
    return frozenset(found)


def scripts_of(folder: Path) -> Iterator[str]:
    """Scripts and style sheets in the static folders of an app; a constant in them counts as one in a script."""
    for name in ("static", "_static"):
        for path in sorted(folder.joinpath(name).rglob("*.[jc]s*")):
            if path.suffix in (".js", ".css"):
                yield "<script>" + path.read_text("utf-8", errors="replace")
