"""`{{ button_next() }}` and `{{ button_back() }}`: Next and Back where an author wants them, in place of the foot."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

_NEXT = Markup('<button type="submit" form="grimoire-form" class="{}" id="{}-button-next">{}</button>')
_BACK = Markup(
    '<button type="submit" form="grimoire-form" name="_back" value="1" formnovalidate class="{}" '
    'id="{}-button-back">{}</button>'
)


class PageButtons:
    """The buttons of one rendering. Once one has been placed, the frame shows none of its own."""

    def __init__(self, says: Callable[[str], str], allows_back: bool, ids: str = "grimoire") -> None:
        """`ids`: what their ids begin with."""
        self._says = says
        self.ids = ids
        self._allows_back = allows_back
        self.placed = False

    def next(self, text: str = "", class_: str = "btn btn-primary") -> Markup:
        """The button Next, with a text of its own if one is given."""
        self.placed = True
        return _NEXT.format(class_, self.ids, text or self._says("Next"))

    def back(self, text: str = "", class_: str = "btn") -> Markup:
        """The button Back; nothing where the page has no way back."""
        self.placed = True
        return _BACK.format(class_, self.ids, text or self._says("Back")) if self._allows_back else Markup()
