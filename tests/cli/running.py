"""What the tests of the command line share: a run of the program, and a platform to ask."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from atota.otaserver.serve import RunningServer
from atota.sim.package import build_package

KEY = "b2J2aW91c2x5IGEgZmFrZSBrZXk="
BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
PACKAGE = build_package(model="BC28", base=BASE, target=TARGET, size=4096)


@dataclass(frozen=True)
class Ran:
    """What a run of the program left."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The last of them."""
        last = self.lines[-1]
        assert last["event"] == "result"
        return last


Cli = Callable[..., Ran]


@dataclass
class Bench:
    """A local platform with a task for a BC28, and the options that ask it."""

    server: RunningServer

    @property
    def asking(self) -> tuple[str, ...]:
        """Options for the platform, the key excepted."""
        return ("--server", self.server.url, "--product-id", "1000", "--dev-id", "6523")

    @property
    def state(self) -> str:
        """The state of the only task."""
        (task,) = self.server.platform.tasks
        return task.state.name
