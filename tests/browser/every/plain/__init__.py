"""An app with nothing beside its one page."""

from promptgrimoire import Page

DESCRIPTION = "Nothing but a page."


class Only(Page):
    """# Only"""


page_order = [Only]
