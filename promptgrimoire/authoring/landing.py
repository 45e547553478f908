"""The landing page: what stands on a session's link above the button that joins, where an app has LANDING_PAGE = True.

Owns finding and checking `LandingPage.html` or `.md`. The page is shown before anybody has joined: it knows no player.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.language import Language
from promptgrimoire.authoring.source import Source
from promptgrimoire.authoring.templates import ALWAYS, PageTemplate, Templates
from promptgrimoire.authoring.translate_tag import language_names

if TYPE_CHECKING:
    from promptgrimoire.authoring.checks import Report
    from promptgrimoire.authoring.experiment import Experiment

NAMES = ("LandingPage.html", "LandingPage.md")
_ALWAYS = ("session", "settings", "app", "C", "appstatic", "projectstatic", "language")


def landing_template(templates: Templates, source: Source, report: Report) -> PageTemplate | None:
    """The template of the app's landing page; a missing or wrong one goes to the report."""
    where = f"{source.shown}:{source.line('LANDING_PAGE')}"
    name = next((name for name in NAMES if (templates.folder / name).is_file()), None)
    if name is None:
        report.error(where, f"LANDING_PAGE = True, but there is no {NAMES[0]} beside it; write it, or LandingPage.md")
        return None
    problems = list(templates.problems(name))
    for problem in problems:
        report.error(f"{problem.file}:{problem.line}", problem.text)
    if problems:
        return None
    path = templates.folder / name
    for unknown, line in templates.unknown_names(path.read_text("utf-8"), _ALWAYS).items():
        nobody = " (nobody has joined yet when this page is shown)" if unknown in ALWAYS else ""
        report.error(f"{templates.shown(path)}:{line}", f"there is no '{unknown}' here{nobody}")
    return templates.file(name)


def landing_html(app: Experiment, session: Any, language: Language) -> str:
    """What the app's landing page says, as HTML without a frame; "" where it has none.

    Raises AuthorError with file and line for whatever fails in the template.
    """
    if app.landing is None:
        return ""
    context = {
        "session": session,
        "settings": session.settings,
        "app": app.name,
        "C": app.constants,
        "appstatic": lambda path: f"/app-static/{app.name}/{path}",
        "projectstatic": lambda path: f"/app-static/{app.name}/{path}",
        **language_names(language),
    }
    return app.templates.fragment(app.landing, context)
