"""The files of the local platform: `tasks.toml` and the packages beside it.

[auth]
product_id = "1000000001"
access_key_env = "PLATFORM_KEY"     # or access_key = "base64…"; required = false turns it off
user_id = "12321"                   # the account, with user_key = "base64…": STUDIO and FUSE only

[[device]]
dev_id = "6523"                     # its name in the generic API
device_name = "line1"               # its name in STUDIO and FUSE; with key = "base64…" its own signatures
imei = "490154203237518"
f_version = "V1.0"

[[task]]
dev_id = "6523"                     # "*": a policy; the check of any device that fits makes its task
type = "fota"
manuf = "001"
model = "00107"
package = "app.bin"
target = "V2.0"

[[task]]
device_name = "line1"               # STUDIO and FUSE know no codes of manufacturer and model
type = "sota"
package = "app.bin"
target = "V2.0"

[knobs]                             # what no source says of STUDIO and FUSE: see `Knobs`
invalid_state = 21
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
ProductId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z]{1,64}$")]
DeviceName = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,64}$")]


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The credentials of a caller. The access key is the console's base64, here or in the environment."""

    product_id: str = ""
    access_key: str | None = None
    access_key_env: str | None = None
    user_id: str = ""
    user_key: str | None = None
    required: bool = True

    def __repr__(self) -> str:
        return f"Auth(product_id={self.product_id!r}, required={self.required})"


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device that the platform knows, by ``dev_id`` (generic), by its product and name, or by both.

    ``product_id`` is that of ``[auth]`` if it is not given. ``name`` is the older word for ``device_name``.
    ``key`` (base64) is for signatures on its own behalf.
    """

    dev_id: DeviceId = ""
    product_id: ProductId | None = None
    device_name: DeviceName | None = None
    name: str | None = None
    imei: str | None = None
    key: str | None = None
    f_version: str | None = None
    s_version: str | None = None

    def __repr__(self) -> str:
        return f"Device(dev_id={self.dev_id!r}, device_name={self.shown_name!r})"

    @property
    def shown_name(self) -> str | None:
        """Its name in STUDIO and FUSE, and in its own signatures."""
        return self.device_name or self.name


class TaskSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The target of one device, or of any (``dev_id = "*"``).

    The device is named by ``dev_id``, or by ``device_name`` and, if it is not that of ``[auth]``,
    ``product_id``. ``manuf`` and ``model`` are the platform's numbers with their leading zeros; only a task
    without ``dev_id`` may leave them out. ``base`` is the version that a delta starts from. ``signal``,
    ``power``, ``retry`` and ``interval`` are only handed on, and only by the generic API.
    """

    dev_id: DeviceIdOrAny = ""
    product_id: ProductId | None = None
    device_name: DeviceName | None = None
    manuf: Code | None = None
    model: Code | None = None
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


class Knobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answers to questions about STUDIO and FUSE that no source answers; each default is the likeliest.

    Attributes:
        downloading_by: the call that moves a waiting task to downloading, or either of the two. In one
            recording a task waits until the end, however often its status is asked for.
        invalid_state: the code of "invalid state".
        after_done: the code of a FUSE check whose task is done.
        auth_status: the HTTP status of a failed authentication.
        error_body: the body of a download that ``Ota-Errno`` refuses.
        version_body: the data of the call that reads the versions.
        content_range: the headers that tell the place of a slice; by default FUSE sends ``Content-Range``
            and STUDIO the pair ``Content-Range-Start`` and ``Content-Range-End``.
    """

    downloading_by: Literal["download", "status", "either"] = "download"
    invalid_state: NonNegative = 21
    after_done: Literal[12012, 12013] = 12013
    auth_status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200
    error_body: Literal["json", "empty"] = "json"
    version_body: Literal["both", "empty", "none"] = "both"
    content_range: Literal["own", "header", "pair", "both", "none"] = "own"


class TasksFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of `tasks.toml`."""

    auth: Auth
    devices: tuple[Device, ...] = msgspec.field(default=(), name="device")
    tasks: tuple[TaskSpec, ...] = msgspec.field(default=(), name="task")
    knobs: Knobs = Knobs()


@dataclass(frozen=True, slots=True)
class Package:
    """The bytes of a package, with its size and digests."""

    name: str
    data: bytes = field(repr=False)
    digests: Digests


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """The checked configuration of a `LocalPlatform`, with the packages in memory.

    ``keys`` are those of the product of ``[auth]``, ``others`` those of devices of further products. Every
    task that is not a policy has the ``dev_id`` under which the platform keeps its device.
    """

    auth_required: bool
    keys: KeyRing
    devices: tuple[Device, ...]
    tasks: tuple[TaskSpec, ...]
    packages: Mapping[str, Package]
    knobs: Knobs = field(default_factory=Knobs)
    others: Mapping[str, KeyRing] = field(default_factory=dict)

    def ring(self, product_id: str) -> KeyRing | None:
        """Return the keys of a product, or None if it is not known."""
        return self.keys if product_id == self.keys.product_id else self.others.get(product_id)


def internal_id(dev_id: str, product_id: str | None, name: str | None) -> str:
    """Return the name under which the platform keeps a device: its ``dev_id``, else product and name."""
    return dev_id or f"{product_id}/{name}"


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
    by_name = {
        (device.product_id or tasks.auth.product_id, device.shown_name): device for device in tasks.devices
    }
    known = {device.dev_id for device in tasks.devices}
    held = {name: Package(name, data, Digests.of(data)) for name, data in packages.items()}
    seen: set[tuple[str, str]] = set()
    placed: list[TaskSpec] = []
    for index, task in enumerate(tasks.tasks):
        key_path = f"$.task[{index}]"
        _check_task(task, held, source, key_path)
        if task.dev_id != ANY_DEVICE:
            if task.dev_id and known and task.dev_id not in known:
                raise _wrong(source, f"no [[device]] has dev_id `{task.dev_id}`", f"{key_path}.dev_id")
            task = _placed(task, tasks.auth.product_id, by_name, source, key_path)
            if (task.dev_id, task.type) in seen:
                raise _wrong(source, f"device `{task.dev_id}` has two {task.type} tasks", key_path)
            seen.add((task.dev_id, task.type))
        placed.append(task)
    keys, others = _key_rings(tasks, source, os.environ if environ is None else environ)
    return PlatformConfig(tasks.auth.required, keys, tasks.devices, tuple(placed), held, tasks.knobs, others)


def _placed(
    task: TaskSpec,
    product_id: str,
    by_name: Mapping[tuple[str, str | None], Device],
    source: str,
    key_path: str,
) -> TaskSpec:
    """Return the task with the ``dev_id`` under which the platform keeps its device."""
    if task.dev_id:
        return task
    product = task.product_id or product_id
    device = by_name.get((product, task.device_name))
    if device is None and by_name:
        raise _wrong(
            source,
            f"no [[device]] has device_name `{task.device_name}` in product `{product}`",
            f"{key_path}.device_name",
        )
    dev_id = internal_id(device.dev_id if device else "", product, task.device_name)
    return msgspec.structs.replace(task, dev_id=dev_id)


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
        if not device.dev_id and device.shown_name is None:
            raise _wrong(source, "a device needs a dev_id, a device_name or both", key_path)
        if device.name is not None and device.device_name not in (None, device.name):
            raise _wrong(source, "name and device_name differ: give device_name only", key_path)
        product = device.product_id or tasks.auth.product_id
        name = device.shown_name and f"{product}/{device.shown_name}"
        for key, value in (("dev_id", device.dev_id), ("name", name), ("imei", device.imei)):
            if not value:
                continue
            if (key, value) in taken:
                raise _wrong(source, f"another device has the same {key}", f"{key_path}.{key}")
            taken[key, value] = index
        for key in ("f_version", "s_version"):
            _check_version(getattr(device, key), source, f"{key_path}.{key}")
        if device.key is not None and device.shown_name is None:
            raise _wrong(source, "a device with a key needs a name: its signatures carry it", key_path)


def _check_version(version: str | None, source: str, key_path: str) -> None:
    problem = None if version is None else version_problem(version)
    if problem:
        raise _wrong(source, f"the platform takes no such version: {problem}", key_path)


def _check_task(task: TaskSpec, packages: Mapping[str, Package], source: str, key_path: str) -> None:
    if bool(task.dev_id) == (task.device_name is not None):
        raise _wrong(source, "a task names its device by `dev_id` or by `device_name`", key_path)
    if task.dev_id and (task.manuf is None or task.model is None):
        raise _wrong(source, "a task with `dev_id` needs `manuf` and `model`", key_path)
    if task.product_id is not None and task.dev_id:
        raise _wrong(source, "`product_id` goes with `device_name`", f"{key_path}.product_id")
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


def _key_rings(
    tasks: TasksFile, source: str, environ: Mapping[str, str]
) -> tuple[KeyRing, Mapping[str, KeyRing]]:
    """Return the keys of the product of ``[auth]``, and those of the devices of other products."""
    auth = tasks.auth
    product_key = _product_key(auth, source, environ)
    if auth.user_key is not None and not auth.user_id:
        raise _wrong(source, "a user key needs `user_id`", "$.auth.user_key")
    user_key = _decoded(auth.user_key, source, "$.auth.user_key") if auth.user_key else b""
    by_product: dict[str, dict[str, bytes]] = {auth.product_id: {}}
    for index, device in enumerate(tasks.devices):
        keys = by_product.setdefault(device.product_id or auth.product_id, {})
        if device.key is not None and device.shown_name is not None:
            keys[device.shown_name] = _decoded(device.key, source, f"$.device[{index}].key")
    rings = {
        product: KeyRing(product, b"", keys, auth.user_id, user_key) for product, keys in by_product.items()
    }
    own = rings.pop(auth.product_id)
    return replace(own, product_key=product_key), rings


def _product_key(auth: Auth, source: str, environ: Mapping[str, str]) -> bytes:
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
    return _decoded(text, source, key_path) if text else b""


def _decoded(key: str, source: str, key_path: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(source, "the key is not base64", key_path) from None
