"""What the tests of the streaming methods share."""

import socket
from collections.abc import Callable
from typing import Any

from atota.settings.spec import Allowed

ALL = Allowed(unproven=True, vendor_package=True)
FETCHING = ("BC26", "BC66", "BC660K", "EC200U", "BG96", "BG770A")
STREAMS = ("SIM7000C", "SIM7020C", "ME3616", "EC21", "EC800M", "SARA-R410")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def made(make_bench: Callable[..., Any], model: str, fault: str = "", **sim: object) -> Any:
    if model == "M5311":
        sim.setdefault("push", "M5311-PLBH0S02")
    return make_bench(model, fault, sim=sim)


def flashed(bench: Any, **how: Any) -> Any:
    """One job with all that the user can take on; where the module fetches, the package is served."""
    if bench.model in FETCHING:
        how.setdefault("serve_url", f"http://127.0.0.1:{free_port()}")
    how.setdefault("allowed", ALL)
    # A file cannot be brought into a module to which only its platform pushes.
    return bench.run(**how) if bench.model == "M5311" else bench.flash(**how)
