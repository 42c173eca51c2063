"""What a transcript's head says of the job that it was made by, and that job again from what it says.

Only what the conversation with the module depends on is told: no secret, no path, nothing of the platform.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from atota.errors import ConfigError
from atota.settings.spec import Allowed, JobSpec, LocalPackage, completed

_OPTIONS = (
    "baud",
    "first_baud",
    "dialect",
    "model",
    "expect_version",
    "block",
    "transfer_baud",
    "timeout_s",
    "reboot_timeout_s",
    "read_back",
)


class ToldPackage(msgspec.Struct, frozen=True):
    """A package as a transcript names it; ``size`` is in bytes."""

    name: str
    size: int
    md5: str


def context_of(command: str, spec: JobSpec) -> dict[str, str]:
    """What is known of a job before the port is open, as lines of a transcript's head."""
    spec = completed(spec)
    told = {"command": command}
    local = spec.package
    if local is not None:
        size = local.path.stat().st_size if local.path.is_file() else 0
        told["package"] = f"{local.path.name} {size} {local.md5.lower()}"
        told["target"] = local.target
    given = {name: getattr(spec, name) for name in _OPTIONS}
    options = {name: value for name, value in given.items() if value is not None and value is not False}
    allowed = [name for name in Allowed.__struct_fields__ if getattr(spec.allowed, name)]
    if options or allowed:
        told["options"] = msgspec.json.encode({**options, "allowed": allowed}).decode()
    if spec.board is not None:
        told["board"] = spec.board.name
    return told


def package_of(head: Mapping[str, str]) -> ToldPackage | None:
    """The package that a head names, if it does.

    Raises:
        ConfigError: the line cannot be read.
    """
    if "package" not in head:
        return None
    words = head["package"].rsplit(" ", 2)
    if len(words) != 3 or not words[1].isdecimal():
        raise ConfigError(f"the transcript's package reads NAME SIZE MD5, not {head['package']!r}")
    return ToldPackage(words[0], int(words[1]), words[2])


def spec_of(head: Mapping[str, str], *, port: str, package: LocalPackage) -> JobSpec:
    """The job again, on another port and with a package that is there.

    Raises:
        ConfigError: the options cannot be read.
    """
    try:
        options: dict[str, Any] = msgspec.json.decode(head.get("options", "{}"), type=dict[str, Any])
        allowed = msgspec.convert(dict.fromkeys(options.pop("allowed", ()), True), Allowed, strict=True)
        known = {name: options[name] for name in _OPTIONS if name in options}
        told = msgspec.convert({"port": port, **known}, JobSpec)
    except (msgspec.MsgspecError, TypeError) as error:
        raise ConfigError(f"the transcript's options cannot be read: {error}") from error
    return msgspec.structs.replace(told, package=package, allowed=allowed)
