"""notify and send_to: who gets what. Adds messages to the open transaction; nothing leaves before it is durable."""

from __future__ import annotations

from collections.abc import Iterable
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Final

from promptgrimoire.authoring.lookup import handle
from promptgrimoire.authoring.pages import key_of
from promptgrimoire.errors import AuthorError
from promptgrimoire.ids import hidden
from promptgrimoire.state.players import Players
from promptgrimoire.state.records import Group, Player, Record, Session
from promptgrimoire.state.values import to_browser

if TYPE_CHECKING:
    from promptgrimoire.state.session_state import SessionState

Recipients = Any  # a player, a group, a session, or any iterable of players
THE_END: Final = object()  # where move_to_end leads


class Notice:
    """One notification as the host gets it: `to` None is everybody except `but`."""

    __slots__ = ("but", "keep", "name", "sender", "to", "where")

    def __init__(
        self,
        name: str | None,
        to: list[int] | None,
        but: tuple[int, ...],
        where: tuple[str, int] | None,
        keep: bool,
        sender: int,
    ) -> None:
        self.name = name
        self.to = to
        self.but = but
        self.where = where  # (page, round); None for any page
        self.keep = keep
        self.sender = sender


class Leave:
    """An instruction to browsers: reload, go elsewhere, show a text. `data` is the encoded wire message."""

    __slots__ = ("player",)

    def __init__(self, player: int) -> None:
        self.player = player


def notify(
    sender: Any,
    recipients: Recipients,
    data: Any = None,
    *,
    event: str | None = None,
    where: Any = None,
    keep: bool = False,
    volatile: bool = False,
) -> None:
    """Tell those of the recipients who are on the sender's page (and round).

    `data` becomes JSON now: later changes of it do not travel. `event` names it (`grimoire.onCustomEvent(event, …)`);
    without, it goes to `grimoire.receive`. `where`: a page class or its name, a 0-based index of the plan, or `...`
    for any page. `keep=True`: delivered until some browser of the recipient has handled it, across reloads and pages.
    `volatile=True`: worthless when late; nothing is stored, the newest per event and sender wins, the slow miss it.

    Guarantees: sent only if the transaction commits, after it is durable; in the order of the statements; each once per
    document of a recipient.
    """
    sender, recipients = handle(sender), handle(recipients)
    if not isinstance(sender, Player):
        raise AuthorError(
            f"notify(sender, …): expected a player as the first argument, found {type(sender).__name__}; use "
            "send_to(recipients, data) elsewhere"
        )
    place = _place_of(sender) if where is None else _where(where, sender)
    _say(sender._state, sender.id, recipients, data, event, place, keep, volatile)


def send_to(
    recipients: Recipients,
    data: Any = None,
    *,
    event: str | None = None,
    where: Any = ...,
    keep: bool = False,
    volatile: bool = False,
) -> None:
    """Like notify, from anywhere (background tasks, timers).

    To the recipients on whatever page they are, unless `where` says.
    """
    recipients = handle(recipients)
    chosen = recipients if isinstance(recipients, Record) else Players(map(handle, recipients))
    if isinstance(chosen, Players):
        if not chosen:
            return
        state = chosen[0]._state
        anyone: Player | None = chosen[0]
    else:
        state = chosen._state
        anyone = next(iter(chosen.players), None)
    if isinstance(recipients, Players):
        chosen = recipients
    place = _where(where, anyone)
    _say(state, 0, chosen, data, event, place, keep, volatile)


def _say(
    state: SessionState,
    sender: int,
    recipients: Recipients,
    data: Any,
    event: str | None,
    where: tuple[str, int] | None,
    keep: bool,
    volatile: bool,
) -> None:
    transaction = state.writing()
    if event is not None and not isinstance(event, str):
        raise AuthorError(f"event: expected a text, found {type(event).__name__}")
    if event is not None and event.startswith("!"):
        raise AuthorError(f"event: names that start with '!' are the framework's, found {event!r}")
    if keep and volatile:
        raise AuthorError("keep=True and volatile=True contradict each other")
    to, but = _scope(state, recipients)
    if keep and where is not None and to is None:  # whoever is there now, wherever they are when it reaches them
        to, but = [player.id for player in state.everybody if player.id not in but], ()
    if to is not None and where is not None:
        to = [id for id in to if _place_of(state.player(id)) == where]
    text = to_browser(data)
    notice = Notice(event, to, but, where, keep, sender)
    if volatile:
        notice.keep = False
        transaction.say(Volatile(notice), text)
    else:
        transaction.say(notice, text)


class Volatile:
    """A notice outside the journal."""

    __slots__ = ("notice",)

    def __init__(self, notice: Notice) -> None:
        self.notice = notice


def _scope(state: SessionState, recipients: Recipients) -> tuple[list[int] | None, tuple[int, ...]]:
    if isinstance(recipients, Player):
        _same_session(state, recipients)
        return [recipients.id], ()
    if isinstance(recipients, Session):
        _same_session(state, recipients)
        return None, ()
    if isinstance(recipients, Group):
        _same_session(state, recipients)
        return [player.id for player in recipients.players], ()
    if isinstance(recipients, Players) and recipients.scope is not None and recipients:
        _same_session(state, recipients[0])
        return None, recipients.scope
    ids: dict[int, None] = {}
    for player in map(handle, recipients):
        if not isinstance(player, Player):
            raise AuthorError(f"recipients: expected players, found {type(player).__name__}: {player!r}")
        _same_session(state, player)
        ids[player.id] = None
    return list(ids), ()


def _same_session(state: SessionState, record: Record) -> None:
    if record._state is not state:
        raise AuthorError(
            f"{record!r} is in another session than the sender ({state.id}): messages stay within a session"
        )


def _place_of(player: Player) -> tuple[str, int]:
    about = player._about
    return about.get("page", ""), about.get("round", 0)


def _where(where: Any, player: Player | None) -> tuple[str, int] | None:
    if isinstance(where, EllipsisType):
        return None
    round = 0 if player is None else player.round
    if isinstance(where, str):
        return (where if "/" in where or player is None else f"{player.app}/{where}"), round
    if isinstance(where, int) and not isinstance(where, bool):
        if player is None:
            raise AuthorError(f"where={where}: no recipient, so no plan in which that index means a page")
        place = player._state.place(player, where)
        if place is None:
            raise AuthorError(f"where={where}: no page stands at that position of {player!r}'s plan")
        return place
    spec = getattr(where, "__grimoire__", None)
    if spec is None:
        raise AuthorError(f"where: expected a page class, an index of page_order, or ... for any page, found {where!r}")
    return (spec.key if player is None else key_of(where, player.app)), round


def players(of: Any) -> Players:
    """The players of a session or group, in order."""
    found = getattr(handle(of), "players", None)
    if not isinstance(found, Players):
        raise AuthorError(f"players(…): expected a session or a group, found {type(of).__name__}")
    return found


def others_in_group(player: Any) -> Players:
    """The other members of the player's group; empty where there is no group."""
    return _of(player).others_in_group


def other_in_group(player: Any) -> Any:
    """The one other member; raises LookupError where there is none or more than one."""
    return _of(player).other_in_group


def others_in_session(player: Any) -> Players:
    """Everybody else in the session."""
    return _of(player).others_in_session


def other_in_session(player: Any) -> Any:
    """The one other player of the session; raises LookupError otherwise."""
    return _of(player).other_in_session


def _of(player: Any) -> Player:
    player = handle(player)
    if not isinstance(player, Player):
        raise AuthorError(f"expected a player, found {type(player).__name__}")
    return player


def create_group(session: Any, members: Any, *, gname: str | None = None, overwrite: bool = False) -> Any:
    """Make players (or one) a group. Raises AuthorError where one is in a group already and `overwrite` is false."""
    state, chosen = _members(session, members)
    if not overwrite:
        for member in chosen:
            if member.group is not None:
                raise AuthorError(f"{member!r} is in {member.group!r} already; say overwrite=True to move them")
    if gname is not None and any(group.name == gname for group in state.groups):
        raise AuthorError(f"gname: there is a group named {gname!r} already")
    app = chosen[0].app if chosen else state.session.app
    return state.create_group(chosen, gname, app)


def create_groups(session: Any, members: Iterable[Iterable[Any]], *, overwrite: bool = False) -> list[Any]:
    """Several groups at once: `create_groups(session, [[a, b], [c, d]])`."""
    return [create_group(session, some, overwrite=overwrite) for some in members]


def add_to_group(group: Any, members: Any, *, overwrite: bool = False) -> None:
    """Add a player, or several, to a group."""
    group = handle(group)
    if not isinstance(group, Group):
        raise AuthorError(f"add_to_group(group, players): expected a group, found {type(group).__name__}")
    state, chosen = _members(group.session, members)
    for member in chosen:
        if member.group is not None and member.group is not group and not overwrite:
            raise AuthorError(f"{member!r} is in {member.group!r} already; say overwrite=True to move them")
    state.set_members(group, list(dict.fromkeys([*group.players, *chosen])))


def _members(session: Any, members: Any) -> tuple[SessionState, list[Player]]:
    session, members = handle(session), handle(members)
    if not isinstance(session, Session):
        raise AuthorError(f"expected a session as the first argument, found {type(session).__name__}")
    if not isinstance(members, (Player, Iterable)):
        raise AuthorError(
            f"expected a player or a list of players as the second argument, found {type(members).__name__}"
        )
    chosen = [members] if isinstance(members, Player) else list(map(_of, members))
    for member in chosen:
        _same_session(session._state, member)
    if len(set(chosen)) != len(chosen):
        raise AuthorError("a player is named twice among the members of one group")
    return session._state, chosen


def move_to_page(player: Any, page: Any) -> None:
    """Move a player to a page of their plan (class, name or 0-based index), once this transaction is durable.

    Among several matches the next one ahead. In a hook of a page, it beats the natural advance.
    """
    setattr(_of(player), "show_page", page)  # noqa: B010 - a property for reading; the assignment is the record's


def move_to_end(player: Any) -> None:
    """Move a player behind the last page."""
    move_to_page(player, THE_END)


def finish(player: Any, completion: str = "completed") -> None:
    """Move a player to the end, and say how they got there: `player.completion`, such as "screened_out"."""
    if not isinstance(completion, str) or not completion:
        raise AuthorError(f'finish(player, completion): expected a text, as in "screened_out", found {completion!r}')
    of = _of(player)
    of._state.writing().assign(of._state.record(hidden(of._key)), "completion", completion)
    move_to_end(of)


def reload(player: Any) -> None:
    """Have the player's browsers load their page again."""
    _instruct(player, b'{"type":"go","to":"reload"}')


def redirect(player: Any, url: str) -> None:
    """Send the player's browsers to another address."""
    if not url.startswith(("https://", "http://", "/")):
        raise AuthorError(f"redirect: expected an address that starts with https://, http:// or /, found {url!r}")
    _instruct(player, b'{"type":"go","to":"url","url":%s}' % to_browser(url))


def show_message(player: Any, text: str) -> None:
    """Show a text to the player, on top of whatever page they are on."""
    _instruct(player, b'{"type":"message","text":%s}' % to_browser(text))


def _instruct(player: Any, message: bytes) -> None:
    of = _of(player)
    of._state.writing().say(Leave(of.id), message)


__all__ = [
    "add_to_group",
    "create_group",
    "create_groups",
    "finish",
    "move_to_end",
    "move_to_page",
    "notify",
    "other_in_group",
    "other_in_session",
    "others_in_group",
    "others_in_session",
    "players",
    "redirect",
    "reload",
    "send_to",
    "show_message",
]
