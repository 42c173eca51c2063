"""The examination of a chip: its port, the program that writes it, and the version of its application."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

from atota.doctor import port
from atota.doctor.findings import Finding, blamed, finding, unseen
from atota.errors import LinkError
from atota.settings.spec import Allowed
from atota.sota.target import ChipTarget

_finding = partial(finding, "chip")


def examine_chip(
    name: str, opener: Callable[[], AbstractContextManager[ChipTarget]], *, note: Callable[[str], None]
) -> Iterator[Finding]:
    """Examine a port and the chip behind it; its application is interrupted only as its profile permits.

    Raises:
        JobTimeout: the time limit is over.
        Interrupted: the stop token is set.
        UsageError: the chip is not named, or unknown.
        ConfigError: the board file says too little of it.
    """
    note(f"port {name}")
    findings = [port.judge_url(name)] if port.is_url(name) else list(port.judge(port.gather(name)))
    yield from findings
    if any(one.state == "bad" for one in findings):
        yield from unseen("chip", ("flasher", "version"), "see the port above", port=name)
        return
    try:
        with opener() as chip:
            yield Finding(group="port", check="opens", state="ok", says="opened", port=name)
            yield _flasher(chip, name)
            note("the version of the application")
            yield _version(chip, name)
    except LinkError as error:
        yield blamed("port", "opens", error, port=name)


def _flasher(chip: ChipTarget, name: str) -> Finding:
    refusal = chip.refusal(Allowed())
    if refusal is not None:
        return _finding("flasher", "bad", refusal.why, refusal.hint, port=name)
    choice = chip.choose()
    return _finding("flasher", "ok", f"{choice.method}{chip.tools}", port=name)


def _version(chip: ChipTarget, name: str) -> Finding:
    identity = chip.identify()
    if identity.version is not None:
        return _finding("version", "ok", f"the application runs {identity.version}", port=name)
    return _finding(
        "version",
        "warning",
        "the application does not tell its version, so an update of it could not be confirmed",
        "Name version in [chip] of the board file: a request, or the banner of its boot.",
        port=name,
    )
