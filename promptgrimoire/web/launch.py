"""From a gateway to a running server: opens the sessions, serves, prints the links, closes everything in order.

Owns what is printed and in which form; a failure before the server answers is raised, never printed half-way.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.types import ASGIApp

from promptgrimoire.errors import JournalDamaged, JournalError, NotFound
from promptgrimoire.settings import Settings
from promptgrimoire.web.app import build_app
from promptgrimoire.web.assets import Assets
from promptgrimoire.web.seam import Gateway, Host
from promptgrimoire.web.server import address_of, serve

logger = logging.getLogger("promptgrimoire")


class Opened(msgspec.Struct, frozen=True):
    """What is printed about one config (or app by itself); without a session the links are None."""

    app: str
    session: str | None
    admin: str | None
    players: list[tuple[str, str]]  # name, token
    earlier: str | None = None  # admin token of the newest session that people have joined


async def launch(
    gateway: Gateway,
    assets: Assets,
    settings: Settings,
    listener: socket.socket,
    *,
    players: int = 0,
    config: str = "",
    session: str = "",
    as_json: bool = False,
    live: ASGIApp | None = None,
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    write: Callable[[str], object] = print,
) -> None:
    """Serve `gateway` until a signal comes. The gateway is opened and closed here.

    `players`, `config` and `session` say which sessions are opened (see `open_sessions`).
    `beside` runs from when the server answers until it stops.
    """
    tasks: list[asyncio.Task[None]] = []
    await gateway.open()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await gateway.close()

    try:
        opened = await open_sessions(gateway, players, config=config, session=session)
        address = address_of(listener, settings)
        app = build_app(gateway, settings, assets, live=live, lifespan=lifespan)
    except BaseException:
        await gateway.close()
        raise

    async def listening() -> None:
        tasks.extend(asyncio.create_task(function()) for function in beside)
        write(json_lines(address, opened) if as_json else text_lines(address, opened, settings))

    await serve(app, settings, listener, listening)


async def open_sessions(gateway: Gateway, players: int, *, config: str = "", session: str = "") -> list[Opened]:
    """One line per config. A session is opened where there is only one, of `config`, or where players are asked for.

    Without players, a session of the config that nobody has joined yet is gone on with; `session` says which one is.
    Raises NotFound where there is no such config or session.
    """
    apps = list(gateway.experiments.names())
    if session:
        host = await gateway.host(session)
        return [_opened(gateway, host.config, host)]
    if config and config not in apps:
        why = gateway.experiments.errors.get(config)
        near = difflib.get_close_matches(config, apps, 1)
        mend = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(apps) or 'none'}"
        raise NotFound(f"{config} does not load: {why}" if why else f"no config {config!r}; {mend}")
    if not apps or (len(apps) > 1 and not players and not config):
        return [Opened(app, None, None, []) for app in apps]
    streams = await gateway.sessions()
    joined = {stream.app: stream.id for stream in streams if stream.joined}  # oldest first
    opened = [
        await _open(gateway, app, players) if config in ("", app) else Opened(app, None, None, []) for app in apps
    ]
    return [
        msgspec.structs.replace(line, earlier=gateway.admin_token(joined[line.app])) if line.app in joined else line
        for line in opened
    ]


async def _open(gateway: Gateway, app: str, players: int) -> Opened:
    try:
        unused = None if players else await gateway.unused(app)
        host = unused if unused is not None else await gateway.create_session(app, players)
    except JournalDamaged:
        host = await gateway.create_session(app, players)  # the log names the one that is damaged; it is left as it is
    except JournalError:
        raise
    except Exception as error:
        # The author's new_session or new_player: a mistake there stops no other app, and an edit mends it.
        logger.error("%s: no session could be opened: %s: %s", app, type(error).__name__, error)
        return Opened(app, None, None, [])
    return _opened(gateway, app, host)


def _opened(gateway: Gateway, app: str, host: Host) -> Opened:
    return Opened(app, host.id, gateway.admin_token(host.id), [(line.name, line.token) for line in host.players()])


def json_lines(address: str, opened: Sequence[Opened]) -> str:
    """One JSON object per config, each on a line of its own."""
    return "\n".join(
        json.dumps(
            {
                "app": line.app,
                "url": address + "/",
                "session": line.session,
                "join": f"{address}/s/{line.session}/" if line.session else None,
                "admin": f"{address}/admin/{line.admin}/" if line.admin else None,
                "players": [f"{address}/p/{token}/" for _, token in line.players],
            }
        )
        for line in opened
    )


def text_lines(address: str, opened: Sequence[Opened], settings: Settings) -> str:
    """The same for people."""
    lines = [f"{'Start' if settings.development else 'Server':<8}{address}/"]
    waiting = [line.app for line in opened if line.session is None]
    if waiting:
        how = (
            "the start page opens one with a click"
            if settings.development
            else "--config NAME opens one, --players N one of each"
        )
        lines.append(f"{'':<8}No session is open of {', '.join(waiting)}: {how}.")
    elif not opened:
        lines.append(f"{'':<8}Nothing loads yet. This server notices when that is mended; then open the start page.")
    for line in opened:
        if line.session is None:
            continue
        lines += ["", line.app, f"{'Join':<8}{address}/s/{line.session}/", f"{'Admin':<8}{address}/admin/{line.admin}/"]
        lines += [f"{name:<8}{address}/p/{token}/" for name, token in line.players]
        if line.earlier:
            lines.append(f"{'Before':<8}{address}/admin/{line.earlier}/ goes on: people have joined it")
    return "\n".join([*lines, "", "Stop with Ctrl+C."])
