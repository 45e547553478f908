"""The command `promptgrimoire`: reads its arguments and puts the parts together.

Owns the command line and exit codes (0 done, 1 refused or damaged, 2 wrong arguments). argparse, since it costs
3 ms of a start where typer costs more than 100 (docs/decisions.md).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from promptgrimoire.data.listing import changes
from promptgrimoire.errors import GrimoireError, NotFound
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.verify import Report, verify, verify_stream
from promptgrimoire.runtime.clock import SystemClock
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.runtime.versions import Experiments
from promptgrimoire.settings import VERSION, Settings, SettingsError, read_settings
from promptgrimoire.web.assets import Assets, static_folder
from promptgrimoire.web.frame import page_frame
from promptgrimoire.web.launch import launch
from promptgrimoire.web.reloading import watch
from promptgrimoire.web.server import bind, run
from promptgrimoire.web.socket import LiveSocket

DATABASE = "promptgrimoire.sqlite3"
SCHEME = "sqlite:///"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("promptgrimoire").setLevel(logging.INFO)
    try:
        code: int = options.command(options)
    except GrimoireError as error:
        print(f"promptgrimoire: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="promptgrimoire", description="Live experiments on the web.")
    parser.add_argument("--version", action="version", version=f"promptgrimoire {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run_command = commands.add_parser("run", help="serve an experiment, or a folder of them")
    run_command.add_argument(
        "target", type=Path, metavar="TARGET", help="a .py file, an app folder, or a folder of apps"
    )
    run_command.add_argument("--host", help="address to listen on (127.0.0.1; 0.0.0.0 for the whole network)")
    run_command.add_argument("--port", type=int, help="port to listen on (8000; 0 for any that is free)")
    run_command.add_argument("--database", metavar="URL", help=f"sqlite:///PATH ({DATABASE} beside the target)")
    run_command.add_argument("--players", type=_count, default=0, metavar="N", help="a new session with N players")
    run_command.add_argument("--json", action="store_true", help="print the links as one line of JSON per app")
    run_command.add_argument(
        "--production", action="store_true", default=None, help="no start page, no reloading of changed files"
    )
    run_command.set_defaults(command=_run)

    verify_command = commands.add_parser("verify", help="check a database against its chain of digests")
    verify_command.add_argument("session", nargs="?", default="", metavar="SESSION", help="only this session")
    _add_database(verify_command)
    verify_command.set_defaults(command=_verify)

    history_command = commands.add_parser("history", help="list what changed in a session, when, and from which line")
    history_command.add_argument("session", metavar="SESSION")
    history_command.add_argument("player", nargs="?", default="", metavar="PLAYER", help="number, name, or 'session'")
    history_command.add_argument("field", nargs="?", default="", metavar="FIELD")
    _add_database(history_command)
    history_command.set_defaults(command=_history)
    return parser


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database", default=SCHEME + DATABASE, metavar="URL", help=f"sqlite:///PATH ({DATABASE} here)"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a number of players, found {text!r}")
    return int(text)


def database_path(database: str) -> Path:
    """The file of `sqlite:///PATH`. Raises SettingsError for anything else."""
    path = database.removeprefix(SCHEME)
    if path == database or not path:
        raise SettingsError(f"Expected a database like {SCHEME}data/study.sqlite3, found {database!r}.")
    return Path(path)


def _existing(database: str) -> Path:
    path = database_path(database)
    if not path.exists():
        raise SettingsError(
            f"There is no database {path}. It lies beside the experiment; name it, as in --database {SCHEME}{path}"
        )
    return path


def default_database(target: Path) -> str:
    """Beside the target, or inside it where the target is the working directory."""
    place = target.resolve()
    folder = place if place == Path.cwd() else place.parent
    return f"{SCHEME}{folder / DATABASE}"


def _run(options: argparse.Namespace) -> int:
    target: Path = options.target
    if not target.exists():
        raise SettingsError(f"There is no file or folder {target}.")
    folder = target if target.is_dir() else target.parent
    flags = {name: getattr(options, name) for name in ("host", "port", "database", "production")}
    settings = read_settings(folder, os.environ, flags)
    database = database_path(settings.database or default_database(target))
    # Bound before anything is loaded: a port that is taken is known at once, and who connects early waits.
    listener = bind(settings)
    try:
        run(_serve(target, database, settings, listener, options.players, options.json))
    finally:
        listener.close()
    return 0


async def _serve(
    target: Path, database: Path, settings: Settings, listener: socket.socket, players: int, as_json: bool
) -> None:
    """Put journal, gateway and web together, and serve."""
    since = time.time()
    experiments = Experiments(target)
    experiments.load_all()
    if not experiments.names() and (as_json or settings.production):
        raise NotFound(f"nothing in {target} loads, so there is nothing to serve; what is wrong stands above")
    assets = Assets(static_folder())
    clock = SystemClock(asyncio.get_running_loop())
    gateway = Gateway(
        experiments,
        SqliteJournal(database, max_rows=settings.limits.journal_queue),
        clock,
        settings,
        page_frame(assets, settings.limits),
    )
    live = LiveSocket(gateway, settings)
    # Not before the server answers: whoever restarts it waits for that, not for edits.
    beside = [partial(watch, experiments, since)] if settings.development else []
    await launch(gateway, assets, settings, listener, players=players, as_json=as_json, live=live, beside=beside)


def _verify(options: argparse.Namespace) -> int:
    return asyncio.run(_verify_database(_existing(options.database), options.session))


async def _verify_database(path: Path, session: str) -> int:
    journal = SqliteJournal(path, readonly=True)
    await journal.open()
    try:
        if session and session not in {stream.id for stream in await journal.streams()}:
            raise NotFound(f"no session {session!r} in this database")
        report = Report([await verify_stream(journal, session)], []) if session else await verify(journal)
    finally:
        await journal.close()
    for verdict in report.streams:
        state = verdict.problem or f"{verdict.entries} entries, digest {verdict.digest.hex()[:16]}"
        print(f"{verdict.stream}  {state}")
    for problem in report.storage:
        print(problem)
    print("damaged" if report.problems else "everything is as it was written")
    return 1 if report.problems else 0


def _history(options: argparse.Namespace) -> int:
    return asyncio.run(_list_changes(options))


async def _list_changes(options: argparse.Namespace) -> int:
    journal = SqliteJournal(_existing(options.database), readonly=True)
    await journal.open()
    try:
        async for change in changes(journal, options.session, options.player, options.field):
            print(change)
    finally:
        await journal.close()
    return 0
