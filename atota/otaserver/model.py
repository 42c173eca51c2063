"""The files of the local platform: `tasks.toml` and the packages beside it.

[auth]
product_id = "123123"
access_key_env = "PLATFORM_KEY"     # or access_key = "base64…"; required = false turns it off

[[device]]
dev_id = "6523"
name = "line1"                      # for device-level signatures, with key = "base64…"
imei = "490154203237518"
f_version = "V1.0"

[[task]]
dev_id = "6523"                     # "*": a policy; the check of any device that fits makes its task
type = "fota"
manuf = "001"
model = "00107"
package = "app.bin"
target = "V2.0"
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Literal

import msgspec

from atota.errors import ConfigError
from atota.files import decode_toml
from atota.otaserver.auth import KeyRing
from atota.values import Digests, version_problem

TASKS_FILE = "tasks.toml"
ANY_DEVICE = "*"

TaskType = Literal["fota", "sota"]
NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
DeviceId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
DeviceIdOrAny = Annotated[str, msgspec.Meta(pattern=r"^([0-9A-Za-z_-]{1,64}|\*)$")]
Code = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{3,5}$")]


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The credentials of a caller. The access key is the console's base64, here or in the environment."""

    product_id: str = ""
    access_key: str | None = None
    access_key_env: str | None = None
    required: bool = True

    def __repr__(self) -> str:
        return f"Auth(product_id={self.product_id!r}, required={self.required})"


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device that the platform knows. ``key`` (base64) is for signatures on its own behalf."""

    dev_id: DeviceId
    name: str | None = None
    imei: str | None = None
    key: str | None = None
    f_version: str | None = None
    s_version: str | None = None

    def __repr__(self) -> str:
        return f"Device(dev_id={self.dev_id!r}, name={self.name!r})"


class TaskSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The target of one device, or of any (``dev_id = "*"``).

    ``manuf`` and ``model`` are the platform's numbers with their leading zeros. ``base`` is the version
    that a delta starts from. ``signal``, ``power``, ``retry`` and ``interval`` are only handed on.
    """

    dev_id: DeviceIdOrAny
    manuf: Code
    model: Code
    package: str
    target: str
    type: TaskType = "fota"
    kind: Literal["full", "delta"] = "full"
    base: str | None = None
    signal: NonNegative = 0
    power: Percent = 0
    retry: NonNegative = 0
    interval: NonNegative = 0
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")] | None = None


class TasksFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `tasks.toml`."""

    auth: Auth
    devices: tuple[Device, ...] = msgspec.field(default=(), name="device")
    tasks: tuple[TaskSpec, ...] = msgspec.field(default=(), name="task")


@dataclass(frozen=True, slots=True)
class Package:
    """The bytes of a package, with its size and digests."""

    name: str
    data: bytes = field(repr=False)
    digests: Digests


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """The checked configuration of a `LocalPlatform`, with the packages in memory."""

    auth_required: bool
    keys: KeyRing
    devices: tuple[Device, ...]
    tasks: tuple[TaskSpec, ...]
    packages: Mapping[str, Package]


def load(folder: Path, *, environ: Mapping[str, str] | None = None) -> PlatformConfig:
    """Read `tasks.toml` and its packages from ``folder``.

    Raises:
        ConfigError: the file, or a package that it names, is missing or wrong.
    """
    path = folder / TASKS_FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", hint=_MISSING_HINT) from error
    tasks = decode_toml(text, TasksFile, name=str(path))
    packages: dict[str, bytes] = {}
    for index, task in enumerate(tasks.tasks):
        if task.package not in packages:
            packages[task.package] = _read_package(
                folder, task.package, f"{path}", f"$.task[{index}].package"
            )
    return build(tasks, packages, source=str(path), environ=environ)


_MISSING_HINT = "Name a folder that holds tasks.toml and the packages it mentions."


def build(
    tasks: TasksFile,
    packages: Mapping[str, bytes],
    *,
    source: str = TASKS_FILE,
    environ: Mapping[str, str] | None = None,
) -> PlatformConfig:
    """Check ``tasks`` against ``packages`` (name → bytes) and make the platform's configuration.

    Raises:
        ConfigError: something in it contradicts something else; the text begins with ``source``.
    """
    _check_devices(tasks, source)
    known = {device.dev_id for device in tasks.devices}
    held = {name: Package(name, data, Digests.of(data)) for name, data in packages.items()}
    seen: set[tuple[str, str]] = set()
    for index, task in enumerate(tasks.tasks):
        key_path = f"$.task[{index}]"
        _check_task(task, held, source, key_path)
        if task.dev_id == ANY_DEVICE:
            continue
        if known and task.dev_id not in known:
            raise _wrong(source, f"no [[device]] has dev_id `{task.dev_id}`", f"{key_path}.dev_id")
        if (task.dev_id, task.type) in seen:
            raise _wrong(source, f"device `{task.dev_id}` has two {task.type} tasks", key_path)
        seen.add((task.dev_id, task.type))
    keys = _key_ring(tasks, source, os.environ if environ is None else environ)
    return PlatformConfig(tasks.auth.required, keys, tasks.devices, tasks.tasks, held)


def _wrong(source: str, problem: str, key_path: str) -> ConfigError:
    return ConfigError(f"{source}: {problem} - at `{key_path}`")


def _read_package(folder: Path, name: str, source: str, key_path: str) -> bytes:
    windows = PureWindowsPath(name)
    if not name or windows.drive or windows.root or ".." in (*PurePosixPath(name).parts, *windows.parts):
        raise _wrong(source, f"package `{name}` is not a file inside the folder", key_path)
    try:
        return (folder / name).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise _wrong(source, f"package `{name}`: {why}", key_path) from error


def _check_devices(tasks: TasksFile, source: str) -> None:
    taken: dict[tuple[str, str], int] = {}
    for index, device in enumerate(tasks.devices):
        key_path = f"$.device[{index}]"
        for key in ("dev_id", "name", "imei"):
            value = getattr(device, key)
            if value is None:
                continue
            if (key, value) in taken:
                raise _wrong(source, f"another device has the same {key}", f"{key_path}.{key}")
            taken[key, value] = index
        for key in ("f_version", "s_version"):
            _check_version(getattr(device, key), source, f"{key_path}.{key}")
        if device.key is not None and device.name is None:
            raise _wrong(source, "a device with a key needs a name: its signatures carry it", key_path)


def _check_version(version: str | None, source: str, key_path: str) -> None:
    problem = None if version is None else version_problem(version)
    if problem:
        raise _wrong(source, f"the platform takes no such version: {problem}", key_path)


def _check_task(task: TaskSpec, packages: Mapping[str, Package], source: str, key_path: str) -> None:
    _check_version(task.target, source, f"{key_path}.target")
    _check_version(task.base, source, f"{key_path}.base")
    if task.kind == "delta" and task.base is None:
        raise _wrong(source, "a delta needs `base`, the version it starts from", key_path)
    if task.kind == "full" and task.base is not None:
        raise _wrong(source, '`base` is for `kind = "delta"`', f"{key_path}.base")
    package = packages.get(task.package)
    if package is None:
        raise _wrong(source, f"package `{task.package}` is missing", f"{key_path}.package")
    if not package.data:
        raise _wrong(source, f"package `{task.package}` is empty", f"{key_path}.package")
    if task.sha256 is not None and task.sha256.lower() != package.digests.sha256:
        raise _wrong(source, f"package `{task.package}` has another SHA-256", f"{key_path}.sha256")


def _key_ring(tasks: TasksFile, source: str, environ: Mapping[str, str]) -> KeyRing:
    auth = tasks.auth
    text, key_path = auth.access_key, "$.auth.access_key"
    if auth.access_key_env is not None:
        key_path = "$.auth.access_key_env"
        if auth.access_key is not None:
            raise _wrong(source, "give `access_key` or `access_key_env`, not both", key_path)
        text = environ.get(auth.access_key_env)
        if not text and auth.required:
            raise _wrong(source, f"the environment has no {auth.access_key_env}", key_path)
    if auth.required and not auth.product_id:
        raise _wrong(source, "signatures are required, so `product_id` is needed", "$.auth")
    if auth.required and not text:
        raise _wrong(source, "signatures are required, so an access key is needed", "$.auth")
    device_keys = {
        device.name: _decoded(device.key, source, f"$.device[{index}].key")
        for index, device in enumerate(tasks.devices)
        if device.key is not None and device.name is not None
    }
    product_key = _decoded(text, source, key_path) if text else b""
    return KeyRing(auth.product_id, product_key, device_keys)


def _decoded(key: str, source: str, key_path: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(source, "the key is not base64", key_path) from None
