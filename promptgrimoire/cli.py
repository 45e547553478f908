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
from contextlib import chdir
from functools import partial
from pathlib import Path

from promptgrimoire.authoring.experiment import place_of
from promptgrimoire.authoring.extraction import update
from promptgrimoire.authoring.project import COMPUTED
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.data.listing import changes
from promptgrimoire.errors import GrimoireError, NotFound
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.verify import Report, verify, verify_stream
from promptgrimoire.runtime.clock import SystemClock
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.runtime.versions import Experiments, project_folder
from promptgrimoire.settings import FILE, PREFIX, VERSION, Settings, SettingsError, read_settings
from promptgrimoire.web.assets import Assets, static_folder
from promptgrimoire.web.frame import page_frame
from promptgrimoire.web.launch import launch
from promptgrimoire.web.reloading import watch
from promptgrimoire.web.server import bind, run
from promptgrimoire.web.socket import LiveSocket

DATABASE = "promptgrimoire.sqlite3"
SCHEME = "sqlite:///"
LOG_FORMAT = "%(levelname)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=LOG_FORMAT)
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

    run_command = commands.add_parser("run", help="serve a project, an experiment, or a folder of them")
    run_command.add_argument(
        "target",
        type=Path,
        nargs="?",
        metavar="TARGET",
        help=f"a .py file, an app folder, or a folder of apps; without it, the project ({FILE}) in this folder",
    )
    run_command.add_argument("--host", help="address to listen on (127.0.0.1; 0.0.0.0 for the whole network)")
    run_command.add_argument("--port", type=int, help="port to listen on (8000; 0 for any that is free)")
    run_command.add_argument("--database", metavar="URL", help=f"sqlite:///PATH ({DATABASE} beside the target)")
    run_command.add_argument("--config", default="", metavar="NAME", help="open a session of this config")
    run_command.add_argument("--session", default="", metavar="ID", help="go on with this session, and print its links")
    run_command.add_argument("--players", type=_count, default=0, metavar="N", help="a new session with N players")
    run_command.add_argument("--json", action="store_true", help="print the links as one line of JSON per app")
    run_command.add_argument(
        "--production", action="store_true", default=None, help="no start page, no reloading of changed files"
    )
    run_command.set_defaults(command=_run)

    translate_command = commands.add_parser("translate", help="write or update the catalogues of an app's texts")
    translate_command.add_argument("target", type=Path, metavar="TARGET", help="a .py file or an app folder")
    translate_command.add_argument("language", nargs="+", metavar="LANGUAGE", help="a code, as in de or pt-BR")
    translate_command.set_defaults(command=_translate)

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
    """Beside the target, or inside it where the target is the working directory or a project's folder."""
    place = target.resolve()
    inside = place == Path.cwd() or (place.is_dir() and _is_project(place))
    return f"{SCHEME}{(place if inside else place.parent) / DATABASE}"


def _is_project(folder: Path) -> bool:
    return not (folder / "__init__.py").exists() and any((folder / name).is_file() for name in (FILE, COMPUTED))


def _target(named: Path | None) -> Path:
    """What to serve. Raises SettingsError where there is nothing."""
    if named is None and not _is_project(Path.cwd()):
        raise SettingsError(
            f"This folder is no project: it has no {FILE}. Write one, or name what to serve: promptgrimoire run TARGET"
        )
    target = (named or Path()).resolve()
    if not target.exists():
        raise SettingsError(f"There is no file or folder {named}.")
    return target


def _database(options: argparse.Namespace, settings: Settings, target: Path, folder: Path) -> Path:
    """The file: as named where the command is given, beside grimoire.toml where that names it, else the usual one."""
    path = database_path(settings.database or default_database(target))
    from_here = options.database or os.environ.get(f"{PREFIX}DATABASE")
    return (Path.cwd() if from_here else folder) / path


def _run(options: argparse.Namespace) -> int:
    if options.session and (options.players or options.config):
        raise SettingsError("--session names one that is there; --players and --config open a new one.")
    target = _target(options.target)
    folder = project_folder(target)
    flags = {name: getattr(options, name) for name in ("host", "port", "database", "production")}
    settings = read_settings(folder, os.environ, flags)
    database = _database(options, settings, target, folder)
    # Bound before anything is loaded: a port that is taken is known at once, and who connects early waits.
    listener = bind(settings)
    try:
        with chdir(folder):  # where apps open files by relative names
            run(_serve(target, database, settings, listener, options))
    finally:
        listener.close()
    return 0


async def _serve(
    target: Path, database: Path, settings: Settings, listener: socket.socket, options: argparse.Namespace
) -> None:
    """Put journal, gateway and web together, and serve."""
    since = time.time()
    experiments = Experiments(target, os.environ)
    _mask(experiments.secrets)
    experiments.load_all()
    if not experiments.names() and (options.json or settings.production):
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
    await launch(
        gateway,
        assets,
        settings,
        listener,
        players=options.players,
        config=options.config,
        session=options.session,
        as_json=options.json,
        live=live,
        beside=beside,
    )


class _Masking(logging.Formatter):
    """Log lines without the values of secrets, in tracebacks neither."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(LOG_FORMAT)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return self._secrets.masked(super().format(record))


def _mask(secrets: Secrets) -> None:
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:  # what main() has set up
            handler.setFormatter(_Masking(secrets))


def _translate(options: argparse.Namespace) -> int:
    for code in options.language:
        done = update(place_of(options.target), code)
        print(f"{done.path}: {done.texts} texts, {done.untranslated} of them not translated yet")
    return 0


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
