"""The raw limit: a bare Starlette/uvicorn server with the framework's settings. Echoes, broadcasts, answers GET."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

connected: set[WebSocket] = set()


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


async def broadcast(websocket: WebSocket) -> None:
    """What one connection says goes to all: encoded once, sent in turn to every connection."""
    await websocket.accept()
    connected.add(websocket)
    try:
        while True:
            message = {"type": "websocket.send", "text": await websocket.receive_text()}
            for other in list(connected):
                await other.send(message)
    except WebSocketDisconnect:
        pass
    finally:
        connected.discard(websocket)


async def page(_request: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><title>bare</title><p>bare</p>")


app = Starlette(
    routes=[WebSocketRoute("/echo", echo), WebSocketRoute("/broadcast", broadcast), Route("/", page)],
)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=2048)
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        http="httptools",
        loop="uvloop",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        access_log=False,
        server_header=False,
        log_config=None,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
