"""Run by tests as a program: the real server over the fake gateway.

Arguments: port, players, "json" or "text", apps.
"""

from __future__ import annotations

import sys

from promptgrimoire.errors import GrimoireError
from promptgrimoire.settings import Settings
from promptgrimoire.web.assets import Assets, static_folder
from promptgrimoire.web.launch import launch
from promptgrimoire.web.server import bind, run
from tests.web.fakes import FakeExperiment, FakeExperiments, FakeGateway


class Closing(FakeGateway):
    async def close(self) -> None:
        await super().close()
        print("gateway closed", file=sys.stderr, flush=True)


def main(port: str, players: str, form: str, *apps: str) -> int:
    settings = Settings(port=int(port))
    gateway = Closing(FakeExperiments({app: FakeExperiment(app, app.title(), f"This is {app}.") for app in apps}))
    try:
        listener = bind(settings)
    except GrimoireError as error:
        print(error, file=sys.stderr)
        return 1
    assets = Assets(static_folder())
    run(launch(gateway, assets, settings, listener, players=int(players), as_json=form == "json"))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
