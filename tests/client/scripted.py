"""A small server whose every answer a test decides: for the browser's client alone. Never the real thing.

Every message of the browser is decoded with `realtime.protocol`, so that the client cannot drift from it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from promptgrimoire.realtime.protocol import Call, Hello, Incoming, Ping, decode

ROOT = Path(__file__).parents[2]
TEXTS = {"lost": "LOST", "back": "BACK", "failed": "FAILED", "error": "ERROR", "takeover": "TAKEN", "close": "Close"}
TEXTS["here"] = "HERE"


class Scripted:
    """`answers` says what a live method gives; a method that it lacks is not answered."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Any], Any]] = {"early": lambda args: args}
        self.base = 100
        self.stay = 7
        self.hellos: list[Hello] = []
        self.calls: list[Call] = []
        self.said: list[Incoming] = []
        self.posts: list[dict[str, str]] = []
        self.order: list[str] = []  # calls and posts, as they came
        self.sockets: list[WebSocket] = []
        self.deaf = False  # hears nothing on present connections, refuses new ones
        self.extra: dict[str, Any] = {}
        self.post_delay = 0.0
        self.post_status = 303  # 204: the browser stays where it is
        self.url = ""
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._port = 0

    # ------------------------------------------------------------------ what tests do

    async def start(self) -> None:
        """Listen; after `stop` again on the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/p/token/"
        config = uvicorn.Config(self._app(), log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        await self.until(lambda: self._server is not None and self._server.started)

    async def stop(self) -> None:
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = None

    async def frame(self, seq: int, *messages: dict[str, Any]) -> None:
        await self.sockets[-1].send_text(json.dumps({"seq": seq, "messages": messages}))

    async def drop(self, code: int = 1012) -> None:
        await self.sockets[-1].close(code)

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  what is awaited happens in a browser
                await asyncio.sleep(0.01)

    # ------------------------------------------------------------------ what browsers get

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Mount("/static", StaticFiles(directory=ROOT / "static")),
                Route("/p/token/", self._page, methods=["GET"]),
                Route("/p/token/", self._post, methods=["POST"]),
                Route("/other/", lambda request: HTMLResponse("<h1>Elsewhere</h1>")),
                WebSocketRoute("/p/token/live", self._live),
            ]
        )

    async def _page(self, request: Request) -> Response:
        config = {
            "version": 1,
            "player": "session.1",
            "stay": self.stay,
            "base": self.base,
            "live": "/p/token/live",
            "clock": time.time(),
            "vars": {"price": 3.5},
            "texts": TEXTS,
            "tabs": "allow",
            **self.extra,
        }
        page = (ROOT / "tests/client/page.html").read_text("utf-8")
        early = (ROOT / "static/grimoire/early.js").read_text("utf-8")
        return HTMLResponse(
            page.replace("%CONFIG%", json.dumps(config)).replace("%EARLY%", early),
            headers={"cache-control": "no-store"},
        )

    async def _post(self, request: Request) -> Response:
        self.posts.append({name: str(value) for name, value in (await request.form()).items()})
        self.order.append("post")
        await asyncio.sleep(self.post_delay)
        return RedirectResponse("/p/token/", 303) if self.post_status == 303 else Response(status_code=self.post_status)

    async def _live(self, websocket: WebSocket) -> None:
        if self.deaf:
            await websocket.close()
            return
        await websocket.accept()
        self.sockets.append(websocket)
        try:
            while True:
                await self._take(websocket, decode(await websocket.receive_text()))
        except WebSocketDisconnect:
            pass

    async def _take(self, websocket: WebSocket, message: Incoming) -> None:
        if self.deaf:
            return
        self.said.append(message)
        if isinstance(message, Hello):
            self.hellos.append(message)
            welcome = {"type": "welcome", "version": 1, "clock": 5000.0, "seq": self.base, "ping": 1.0, "resync": False}
            await websocket.send_text(json.dumps({"seq": 0, "messages": [welcome]}))
        elif isinstance(message, Ping):
            pong = {"type": "pong", "sent": message.sent, "clock": 5000.0}
            await websocket.send_text(json.dumps({"seq": 0, "messages": [pong]}))
        elif isinstance(message, Call):
            self.calls.append(message)
            self.order.append(message.method)
            if message.method in self.answers:
                value = self.answers[message.method](msgspec.json.decode(message.args))
                await self.answer(message, value)

    async def answer(self, call: Call, value: Any) -> None:
        reply = {"type": "reply", "n": call.n, "ok": value}
        if isinstance(value, dict) and value.get("type") == "error":
            reply = {**value, "n": call.n}
        if call.document:
            reply["document"] = call.document
        await self.frame(0, reply)


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
