"""What actually serves: uvicorn with the settings that were measured, on a socket bound beforehand.

Owns the listening socket and the order of starting and stopping; knows nothing of what it serves.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import Awaitable, Callable

import uvicorn
import uvloop
from starlette.types import ASGIApp

from promptgrimoire.errors import GrimoireError
from promptgrimoire.settings import Settings
from promptgrimoire.web.direct import DirectProtocol

BACKLOG = 2048
_NEW_OBJECTS = 20_000  # between two looks of the garbage collector


class CannotListen(GrimoireError):
    """The address cannot be used; the message says why and what to do."""


def bind(settings: Settings) -> socket.socket:
    """The listening socket. Whoever connects from now on waits until the server answers. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(_mend(settings, error)) from error
    except OverflowError as error:
        raise CannotListen(f"Expected a port between 0 and 65535, found {settings.port}.") from error


def _mend(settings: Settings, error: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} is already in use, perhaps by another promptgrimoire. "
            f"Stop that one, or choose another port: --port {settings.port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"Not allowed to listen on {where}: ports below 1024 need root. Choose another one: --port 8000"
    return f"Cannot listen on {where}: {error.strerror or error}. Is --host an address of this machine?"


def address_of(listener: socket.socket, settings: Settings) -> str:
    """The address to print: what was configured, else host and port, with a port of 0 replaced by the real one."""
    if settings.url:
        return settings.url.rstrip("/")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{listener.getsockname()[1]}"


class _Server(uvicorn.Server):
    """uvicorn's server that says when it answers."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._listening()


async def serve(
    app: ASGIApp, settings: Settings, listener: socket.socket, listening: Callable[[], Awaitable[None]]
) -> None:
    """Serve until a signal comes. `listening` is awaited once the server answers.

    The application's lifespan starts before that and ends after the last connection: what it owns is closed last.
    """
    # What has been made by now lives as long as the server: the collector need not look at it again. The default of 700
    # new objects between two looks is made for small programs; sessions hold hundreds of thousands.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 50)
    config = uvicorn.Config(
        app,
        ws=DirectProtocol,
        http="httptools",
        loop="uvloop",
        lifespan="on",
        ws_per_message_deflate=False,
        ws_max_size=2 * settings.limits.frame,  # the connection refuses what is over the limit itself, with a reason
        # The browser answers by itself, also for a tab that sleeps; the protocol's own pings are the browser's.
        ws_ping_interval=settings.grace.ping,
        ws_ping_timeout=2 * settings.grace.ping,
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=round(settings.grace.shutdown),
    )
    await _Server(config, listening).serve(sockets=[listener])


def run(main: Awaitable[None]) -> None:
    """Run to the end on uvloop. Raises KeyboardInterrupt on Ctrl+C."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_whole(main))


async def _whole(main: Awaitable[None]) -> None:
    await main
