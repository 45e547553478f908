"""Finds the host of a session: in memory, or from the journal; makes new sessions; puts idle ones away."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import Any

from promptgrimoire.authoring.landing import landing_html
from promptgrimoire.authoring.study import Study
from promptgrimoire.commands import Rendered, Restarted, SessionCreated
from promptgrimoire.errors import GrimoireError, JournalDamaged, JournalError, JournalUnavailable, NotFound, Refused
from promptgrimoire.ids import new_secret, new_session_id, session_of
from promptgrimoire.journal.base import Journal, Stream
from promptgrimoire.journal.entries import Chain
from promptgrimoire.runtime import segments
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.clock import Clock
from promptgrimoire.runtime.history import History
from promptgrimoire.runtime.hooks import call_hooks
from promptgrimoire.runtime.host import Host, Surroundings
from promptgrimoire.runtime.recovery import Rebuilt, Snapshots, rebuild
from promptgrimoire.runtime.rendering import Frame
from promptgrimoire.runtime.segments import Segments
from promptgrimoire.runtime.server_stream import SERVER, admin_token, server_secret
from promptgrimoire.runtime.tracebacks import is_author
from promptgrimoire.runtime.versions import Experiments
from promptgrimoire.runtime.watchdog import Watchdog
from promptgrimoire.settings import Settings
from promptgrimoire.state.lines import Lines
from promptgrimoire.state.session_state import SessionState
from promptgrimoire.state.transaction import Transaction

log = logging.getLogger("promptgrimoire")
_HOUSEKEEPING = 5.0


class Gateway:
    """The sessions of one server."""

    def __init__(
        self, experiments: Experiments, journal: Journal, clock: Clock, settings: Settings, frame: Frame
    ) -> None:
        self.experiments = experiments
        self.journal = journal
        self.clock = clock
        self.settings = settings
        self.development = settings.development
        loop = asyncio.get_running_loop()
        self.segments = Segments(loop)
        watchdog = Watchdog(settings.grace.watchdog, is_author=is_author)
        self._around = Surroundings(journal, clock, self.segments, watchdog, settings, frame, experiments.secrets)
        self._hosts: dict[str, Host] = {}
        self._loading: dict[str, asyncio.Future[Host]] = {}
        self._touched: dict[str, float] = {}
        self._snapshots: dict[str, Snapshots] = {}
        self.quarantined: dict[str, str] = {}  # sessions that do not load, and why
        self._secret = b""
        self._back = 0.0  # since when process and storage have been there without a break
        self._waking: dict[str, float] = {}
        self._leaving: dict[str, asyncio.Task[Any]] = {}  # sessions that are being put away
        self._tasks: set[asyncio.Task[Any]] = set()  # the loop itself holds tasks weakly
        self._housekeeper: Any = None
        self._reviving = False
        self._closing = False

    async def open(self) -> None:
        """Open the journal; sessions load when they are first touched, or when a deadline of theirs is due."""
        await self.journal.open()
        self._back = self.clock.now()
        self.segments.install()
        self.experiments.on_change = self._changed
        self._around.watchdog.start()
        self._secret = await server_secret(self.journal, self.clock.now(), self.settings.limits)
        for stream in await self.journal.streams():
            if stream.due is not None:
                self._waking[stream.id] = stream.due
        self._keep_house()

    async def close(self) -> None:
        """Say good-bye, store everything, close the journal."""
        self._closing = True
        if self._housekeeper is not None:
            self._housekeeper.cancel()
        for host in list(self._hosts.values()):
            try:
                await self._put_away(host)
            except GrimoireError as error:
                log.error("session %s: %s", host.id, error)
        if self._tasks:
            for task in self._tasks:
                if task not in self._leaving.values():
                    task.cancel()
            await asyncio.wait(self._tasks)
        self._around.watchdog.stop()
        self.segments.uninstall()
        await self.journal.close()

    # ---------------------------------------------------------------- finding

    async def host(self, session_id: str) -> Host:
        """The session's host, loaded where needed.

        Raises NotFound, JournalDamaged, JournalUnavailable, and Refused "busy" while its config does not load.
        """
        host = self._hosts.get(session_id)
        if host is not None:
            self._touched[session_id] = self.clock.now()
            return host
        while session_id in self._leaving:
            await asyncio.wait([self._leaving[session_id]])
        if session_id in self._hosts:
            return self._hosts[session_id]
        if self._closing:
            raise JournalUnavailable("the server is stopping")
        if self._reviving:
            raise JournalUnavailable("storage is not available for a moment")
        loading = self._loading.get(session_id)
        if loading is None:
            loading = self._loading[session_id] = asyncio.ensure_future(self._load(session_id))
            loading.add_done_callback(lambda _: self._loading.pop(session_id, None))
        return await asyncio.shield(loading)

    async def host_of(self, token: str) -> Host:
        """The host of the session that a player's token names. Raises NotFound also for an unknown token."""
        session = session_of(token)
        if session is None:
            raise NotFound("no such player")
        host = await self.host(session)
        if token not in host.state.tokens:
            raise NotFound("no such player")
        return host

    async def landing(self, session_id: str) -> str:
        """What the session link shows above the button that joins, as HTML; "" for what is usual."""
        host = await self.host(session_id)
        app, session = host.study.apps[0], host.state.session
        if app.landing is None:
            return ""

        async def rendering() -> str:
            return landing_html(app, session, host.study.language_of(None, app.name))

        html = await host.perform(Rendered(0, 0), session, f"{app.name}/LandingPage", rendering())
        await host.durable()
        assert isinstance(html, str)
        return html

    async def unused(self, config: str) -> Host | None:
        """The newest session of a config that nobody has joined; None where it is another config of that name."""
        found = [stream.id for stream in await self.sessions() if stream.app == config and not stream.joined]
        if not found:
            return None
        host = await self.host(found[-1])
        ours = host.state.hidden._fields.get("origin") == self.experiments.origin(config)
        return host if ours else None

    async def sessions(self) -> list[Stream]:
        """All sessions, oldest first. Not those of which `new_session` has done a part and not come to its end."""
        return [stream for stream in await self.journal.streams() if stream.id != SERVER and stream.app]

    def admin_token(self, session_id: str) -> str:
        """An unguessable token for a session's overview; the same after a restart."""
        return admin_token(self._secret, session_id)

    # ---------------------------------------------------------------- making and loading

    async def create_session(self, config: str, players: int = 0) -> Host:
        """A new session of a config, with so many players. Durable when it returns. Raises NotFound."""
        study = self.experiments.study(config)
        state = self._new_state(new_session_id(), study)
        host = self._new_host(state, Chain(state.id), study)
        session = state.session

        async def creating() -> None:
            transaction = state.writing()
            for field, value in (
                ("config", config),
                ("app", study.apps[0].name),
                ("created", self.clock.now()),
                ("seed", new_secret()),
                ("settings", dict(study.settings)),
                ("origin", self.experiments.origin(config)),
                ("timers", {}),
            ):
                transaction.assign(state.hidden, field, value)
            waits = any(hook.is_async for _, hook in study.hooks_named("new_session"))
            if waits:  # each of its parts is committed: should it not come to its end, the session is never used
                transaction.assign(state.hidden, "making", True)
            state.fill(session)
            await call_hooks(host, "new_session", session)
            if waits:
                state.writing().remove(state.hidden, "making")

        cause = SessionCreated(state.id, config, study.digest)
        try:
            await host.perform(cause, session, "new_session", creating())
        except BaseException:
            await self._abandon(host)
            raise
        self._hosts[state.id] = host
        self._touched[state.id] = self.clock.now()
        self._snapshots[state.id] = Snapshots(host)
        await host.durable()
        for _ in range(players):
            await host.join()
        return host

    async def _abandon(self, host: Host) -> None:
        """`new_session` failed: nothing that it has begun goes on."""
        try:
            await host.close()
            await host.retire()
        except JournalError as error:
            log.warning("session %s, which could not be made: %s", host.id, error)

    def _new_state(self, id: str, study: Study) -> SessionState:
        state = SessionState(id, Lines(study.project, segments.__file__))
        state.declare(study.declared)
        return state

    def _new_host(self, state: SessionState, chain: Chain, study: Study) -> Host:
        state.archive = History(self.journal, state.id)
        host = Host(state, chain, self._around, study)
        host.on_failure = self._failed
        return host

    async def _load(self, session_id: str) -> Host:
        if session_id in self.quarantined:
            raise JournalDamaged(self.quarantined[session_id])
        loaded = None if session_id == SERVER else await self.journal.load(session_id)
        if loaded is None:
            raise NotFound(f"no session {session_id}")
        study = self._study(loaded.stream.app)
        state = self._new_state(session_id, study)
        try:
            rebuilt = await rebuild(self.journal, session_id, state, self.settings.limits)
        except JournalUnavailable:
            raise
        except Exception as error:
            self.quarantined[session_id] = str(error) or repr(error)
            log.error("session %s does not load and is left as it is: %s", session_id, error, exc_info=error)
            raise JournalDamaged(self.quarantined[session_id]) from error
        host = self._new_host(rebuilt.state, rebuilt.chain, study)
        self._take_over(host, rebuilt)
        self._hosts[session_id] = host
        self._touched[session_id] = self.clock.now()
        self._snapshots[session_id] = Snapshots(host)
        self._go_on(host, rebuilt.heard)
        return host

    def _study(self, config: str) -> Study:
        """A session's study. One that does not load is mended some time; who comes meanwhile is to wait."""
        try:
            return self.experiments.study(config)
        except NotFound as error:
            if config in self.experiments.errors:
                raise Refused("busy", str(error)) from error
            raise

    def _take_over(self, host: Host, rebuilt: Rebuilt) -> None:
        host.deliveries.mail = rebuilt.mail
        host.bytes_since_snapshot = rebuilt.bytes
        host.changed = {*host.state.records, *(f"~p{player}" for player in rebuilt.mail)}
        for player in rebuilt.online:
            host.attendance.restored(player)
        host.timers.restored(rebuilt.heard)

    def _go_on(self, host: Host, heard: float) -> None:
        """What was under way when the server stopped, which made its newest entry at `heard`."""
        host.deadlines.restored(heard, self._back)
        if host.study.hooks_named("restart"):
            run = _Restarting(host, Restarted(), host.activity(host.state.session, "restart"))
            restarting = call_hooks(host, "restart", host.state.session)
            host.start(restarting, run, host.tasks.keep)  # nobody waits for what it waits for
            if isinstance(run.error, JournalError):
                host.failed(run.error)
                raise run.error
        host.flow.restored()
        host.dropouts.restored()
        host.timers.plan()

    def _changed(self, config: str) -> None:
        """Another version of a config runs from now on: who was held up by the old one goes on."""
        study = self.experiments.study(config)
        for host in self._hosts.values():
            if host.config == config:
                host.study, host.state.lines = study, Lines(study.project, segments.__file__)
                host.state.declare(study.declared)
                host.timers.plan()
                host.waiting.look_again()
                for player in host.state.everybody:
                    if player._about.get("held"):
                        self._spawn(host.flow.retry(player))

    # ---------------------------------------------------------------- housekeeping

    def _keep_house(self) -> None:
        if self._closing:
            return
        now = self.clock.now()
        self._housekeeper = self.clock.at(now + _HOUSEKEEPING, self._keep_house)
        for host in list(self._hosts.values()):
            snapshots = self._snapshots[host.id]
            if snapshots.due() and host.failure is None:
                snapshots.start()
            elif self._idle(host, now):
                del self._hosts[host.id]
                self._leaving[host.id] = self._spawn(self._put_away(host))
        if self._reviving:
            return
        self._spawn(self._look_after_storage())
        for session, due in list(self._waking.items()):
            if due <= now:
                del self._waking[session]
                self._spawn(self._wake(session))

    async def _wake(self, session: str) -> None:
        """Load a session that has a deadline; later, where that does not work now."""
        try:
            await self.host(session)
        except JournalUnavailable as error:
            log.warning("session %s has a deadline, but cannot be loaded yet: %s", session, error)
            self._waking.setdefault(session, self.clock.now())
        except Refused:  # its config does not load: that is said already
            self._waking.setdefault(session, self.clock.now())
        except NotFound as error:
            log.warning("session %s has a deadline, but cannot be loaded: %s", session, error)

    async def _look_after_storage(self) -> None:
        """Revive it also after a failure that no session had entries in."""
        try:
            await self.journal.revive()
        except JournalError as error:
            if not self._closing:
                log.warning("%s", error)

    def _spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)
        return task

    def _idle(self, host: Host, now: float) -> bool:
        untouched = now - self._touched.get(host.id, 0.0) > self.settings.grace.idle_session
        return untouched and not host.state.online and not host.busy and not host.deadlines.pausing

    async def _put_away(self, host: Host) -> None:
        """Store a session's state and forget it; it loads again when it is touched."""
        self._hosts.pop(host.id, None)
        snapshots = self._snapshots.pop(host.id, None)
        try:
            try:
                await host.close()
                if snapshots is not None and host.failure is None:
                    await snapshots.finish()
                    if host.bytes_since_snapshot:
                        await snapshots.take()
            finally:
                await host.retire()  # also where the snapshot fails: the session will have another host
        finally:
            due = host.timers.next_due()
            if due is not None:
                self._waking[host.id] = due
            self._touched.pop(host.id, None)
            self._leaving.pop(host.id, None)

    def _failed(self, host: Host) -> None:
        """Storage failed: memory is discarded, and loaded anew when storage is back."""
        if self._hosts.get(host.id) is host:
            del self._hosts[host.id]
            self._snapshots.pop(host.id, None)
            self._waking[host.id] = self.clock.now()  # what was under way there goes on when storage is back
        if not self._closing and not self._reviving:
            self._reviving = True
            self._spawn(self._revive())

    async def _revive(self) -> None:
        log.error("storage failed; participants see “one moment” until it is back")
        try:
            while not self._closing:
                try:
                    await self.journal.revive()
                except JournalError as error:
                    log.warning("storage is not back yet: %s", error)
                    await self._pause(1.0)
                else:
                    self._back = self.clock.now()
                    log.warning("storage is back")
                    return
        finally:
            self._reviving = False

    async def _pause(self, seconds: float) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self.clock.at(self.clock.now() + seconds, over.cancel)
        try:
            await asyncio.wait([over])
        finally:
            alarm.cancel()


class _Restarting(Awaited):
    """`restart(session)`."""

    __slots__ = ()

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        if not isinstance(error, JournalError | asyncio.CancelledError):
            self.report(error)
        return self._commit(transaction)


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("in the background", exc_info=task.exception())
