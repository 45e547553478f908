"""A participant without a browser, over the real protocol: plain HTTP for pages, the websocket for everything live.

    async with Participant(server.join) as ann:            # a session link joins, a participant's own link goes on
        assert ann.page.heading == "Your choice"
        await ann.submit(cooperate="Yes", comment="…")     # by value or label; the page that follows is ann.page
        assert ann.page.errors == {}
        assert await ann.call("post_offer", 3.5) == {"posted": 3.5}
        assert await ann.event("NewOffer") == 3.5
        await ann.moved()                                  # waits to be moved on by push, as wait pages do it
        await ann.reaches("Results")                       # the same, until a page with this heading is there
        assert ann.ended                                   # the study is over

    async with crowd(400, server.join) as people: …        # many at once

What it does is what a browser does: it reads the page's form and posts all of it, hidden fields and untouched answers
included; it waits for its calls before it submits; it comes back after a lost connection; it follows a page that goes
on by itself. It cannot answer what the page does not ask (LookupError); `post` is for those who try. `page` (see
tests/shown.py) is the page as loaded: what events change in a browser, they do not change there.

Imports nothing of promptgrimoire. Every wait ends after `patience` seconds with a TimeoutError that says where it was.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from tests.client_python.stranger import Event, Stranger, Tab
from tests.shown import Shown

PATIENCE = 20.0  # seconds
File = tuple[str, bytes, str]  # name, content, content type


class Participant:
    """One browser with one tab. `link`: a session's or a participant's own; `label` and `params` go along with it."""

    def __init__(self, link: str, *, label: str = "", patience: float = PATIENCE, **params: str) -> None:
        self.patience = patience
        self.texts: list[str] = []  # of show_message
        self.sent_to = ""  # where `redirect` has sent this browser
        self._params = {**({"label": label} if label else {}), **params}
        # A server may close what is idle; a browser would send again, this one keeps no connection that long.
        brief = httpx.Limits(keepalive_expiry=1)
        self._http = httpx.AsyncClient(
            trust_env=False, verify=False, follow_redirects=True, timeout=patience, limits=brief
        )
        self._tab = Tab()
        self._line: Stranger | None = None
        self._events: list[Event] = []  # of the present document, that nobody has asked for
        self._page: Shown | None = None
        self.link = link

    async def __aenter__(self) -> Participant:
        try:
            await self._arrive()
        except BaseException:
            await self._http.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._leave()
        await self._http.aclose()

    # ------------------------------------------------------------------ the page

    @property
    def page(self) -> Shown:
        """The page as it was loaded last."""
        assert self._page is not None, "use it as `async with Participant(link) as ann`"
        return self._page

    @property
    def ended(self) -> bool:
        """Whether the participant has reached the end of the study."""
        return self.page.ended

    async def load(self) -> Shown:
        """Load the page, again; gives it."""
        await self._leave()
        return await self._show(await self._http.get(self.link))

    async def submit(self, **answers: Any) -> Shown:
        """Answer and press Next; gives the page that follows, or the same with `errors`.

        An answer is a choice's value or label, a list of them, text, a number, True or False for a box to tick, a
        `File`, or None to leave it empty. What is not mentioned stays as the form shows it.
        """
        return await self._press("", answers)

    async def back(self, **answers: Any) -> Shown:
        """Press Back."""
        return await self._press("_back", answers)

    async def time_out(self, **answers: Any) -> Shown:
        """What a browser does by itself when the time of its page is over: posts what is filled in."""
        page = self.page
        posted = {**page.answers(answers), "_submission": [secrets.token_hex(8)], "_timed_out": ["1"]}
        await self._leave()
        return await self._show(await self._http.post(self.link, data=posted))

    async def post(self, data: Mapping[str, Any], files: Mapping[str, File] | None = None) -> Shown:
        """Post something, whatever the page asks; `_stay` and `_submission` go along unless they are given."""
        hidden = {"_stay": self.page.hidden.get("_stay", ""), "_submission": secrets.token_hex(8)}
        await self._leave()
        return await self._show(await self._http.post(self.link, data={**hidden, **data}, files=files))

    async def _press(self, button: str, answers: Mapping[str, Any]) -> Shown:
        page = self.page
        assert button in page.buttons, f"'{page.heading}' has no such button: {page.text[:300]}"
        posted = page.answers(answers)
        posted["_submission"] = posted["_submission"] if any(posted["_submission"]) else [secrets.token_hex(8)]
        if button:
            posted[button] = ["1"]
        files = {name: answers[name] for name in answers if page.fields[name].kind == "file" and answers[name]}
        if self._line is not None:
            await self._until(lambda line: not line.unsettled)
        await self._leave()
        return await self._show(await self._http.post(self.link, data=posted, files=files or None))

    # ------------------------------------------------------------------ live

    async def call(self, method: str, *arguments: Any) -> Any:
        """What the live method returned. Raises CallError, with the protocol's `code` and a message."""
        return await self._connected.invoke(method, *arguments)

    async def event(self, name: str | None = None) -> Any:
        """The data of the oldest event of this name, on this page, that has not been asked for; waits for it."""
        await self._until(lambda _: any(event.name == name for event in self._events))
        found = next(event for event in self._events if event.name == name)
        self._events.remove(found)
        return found.data

    def events(self, name: str | None = None) -> list[Any]:
        """The data of those that have come and have not been asked for."""
        return [event.data for event in self._events if event.name == name]

    async def connected(self) -> None:
        """Wait until the server knows that this participant is here."""
        await self._until(lambda line: line.connections)

    async def moved(self) -> Shown:
        """Wait until the server moves this participant on (or loads the page again); gives the page."""
        await self._until(lambda line: line.went)
        assert self._line is not None
        self.sent_to = next((go["url"] for go in self._line.went if go["to"] == "url"), "")
        return self.page if self.sent_to else await self.load()

    async def reaches(self, heading: str) -> Shown:
        """Wait, from push to push, until a page with this heading is there; gives it."""
        try:
            async with asyncio.timeout(self.patience):
                while self.page.heading != heading:
                    await self.moved()
        except TimeoutError:
            raise TimeoutError(f"'{heading}' did not come; still at {self._where}") from None
        return self.page

    # ------------------------------------------------------------------ under the hood

    @property
    def _connected(self) -> Stranger:
        assert self._line is not None, f"this page has no connection: {self._where}"
        return self._line

    @property
    def _where(self) -> str:
        return f"'{self.page.heading}' ({self.page.status}): {self.page.text[:300]}"

    async def _until(self, condition: Any) -> None:
        line = self._connected
        try:
            await line.until(lambda: condition(line), self.patience)
        except TimeoutError:
            raise TimeoutError(f"nothing came, for {self.patience} s, at {self._where}") from None

    async def _arrive(self) -> None:
        """The session link shows a page with a button; who has a place goes there."""
        response = await self._http.get(self.link, params=self._params or None)
        page = Shown(response.status_code, response.text)
        key = page.root.first("input", name="key")
        if page.form is None and key is not None:
            data = {"key": key.get("value")}
            response = await self._http.post(response.url, data=data)
        self.link = str(response.url.copy_with(query=None))
        await self._show(response)

    async def _show(self, response: httpx.Response) -> Shown:
        """The page that a response leads to, and its connection."""
        async with asyncio.timeout(self.patience):
            self._page = Shown(response.status_code, response.text)
            while self._page.refresh is not None:
                await asyncio.sleep(self._page.refresh)
                response = await self._http.get(self.link)
                self._page = Shown(response.status_code, response.text)
        if self._page.config is not None:
            address = httpx.URL(self.link)
            origin = f"{address.scheme}://{address.netloc.decode()}"
            self._line = Stranger.from_page(origin, response.text, self._tab, handler=self._events.append)
            self._line.texts = self.texts
            self._line.start()
        return self._page

    async def _leave(self) -> None:
        line, self._line = self._line, None
        self._events.clear()
        if line is not None:
            await line.close()


@asynccontextmanager
async def crowd(count: int, link: str, *, at_once: int = 50, **options: Any) -> AsyncIterator[list[Participant]]:
    """So many participants of one session; `at_once` of them arrive at the same time."""
    gate = asyncio.Semaphore(at_once)
    async with AsyncExitStack() as stack:

        async def enter(one: Participant) -> None:
            async with gate:
                await one.__aenter__()

        people = [Participant(link, **options) for _ in range(count)]
        for one in people:
            stack.push_async_callback(one._leave)
            stack.push_async_callback(one._http.aclose)
        await asyncio.gather(*map(enter, people))
        yield people


__all__ = ["File", "Participant", "crowd"]
