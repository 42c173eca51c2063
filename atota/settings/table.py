"""The table of settings: one row makes the option, the variable, the keys of files, their schema and ``-v``.

A row is a field of `Settings`. Its annotation holds the type, as programs and TOML files see it, and a
`Row`, which says by what names a value may be given. So a new setting is one field here and its use:

    region: Annotated[Region, Row(OneOf("cn", "hk"), "--region", metavar="cn|hk", group=PLATFORM,
                                  help="…", variable="ATOTA_REGION", key="region", board="ota.region")] = "cn"

A field of `atota.settings.spec.JobSpec` with the same name is filled by itself.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from atota.settings.groups import Group
from atota.settings.kinds import (
    Baud,
    OneOf,
    Seconds,
    Text,
    TransferBaud,
    flag,
    path,
    seconds,
    serve_address,
    server_url,
    text,
    version,
    whole,
    word,
)
from atota.settings.secret import Secret
from atota.values import AuthMethod, KeyLevel, ServerUrl, TaskType


class Row(msgspec.Struct, frozen=True):
    """The names by which one setting can be given, besides its built-in default.

    ``flags`` make an option of the commands that take ``group``; a setting without flags is not an option.
    ``variable`` is its environment variable, ``key`` its key in the user's configuration, ``board`` its place
    in a board file. ``secret`` is a variable that holds a `Secret` itself, where the others name its file.
    """

    parse: Callable[[object], object]
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    help: str = ""
    group: Group | None = None
    variable: str | None = None
    key: str | None = None
    board: str | None = None
    secret: str | None = None
    complete: Literal["ports", "dialects", "models", "apis", "runs"] | None = None
    name: str = ""
    type: Any = None
    default: Any = None

    @property
    def flag(self) -> str:
        """The option's long name."""
        return next(flag for flag in self.flags if flag.startswith("--")).partition("/")[0]

    @property
    def is_switch(self) -> bool:
        """True if the option takes no value."""
        return self.type is bool

    @property
    def is_path(self) -> bool:
        """True if the value names a file."""
        return self.type in (Path, Secret)

    def field(self, name: str) -> tuple[str, Any, Any]:
        """Return the field ``name`` of a TOML table that holds this setting: name, type and default."""
        if self.is_switch:
            return name, bool, False
        return name, (Text if self.is_path else self.type) | None, None


def _row(parse: Callable[[object], object], *flags: str, **more: Any) -> Row:
    return Row(parse, flags, **more)


_LINK: Final = functools.partial(_row, group=Group.LINK)
_PLATFORM: Final = functools.partial(_row, group=Group.PLATFORM)
_UPDATE: Final = functools.partial(_row, group=Group.UPDATE)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, once all places have been asked; `atota.settings.resolve.resolve` makes it.

    ``origin`` says for each name which place its value comes from. A time limit of None means none, for
    ``reboot_timeout_s`` the dialect's own.
    """

    port: Annotated[Text | None, _LINK(
        text, "--port", "-p", metavar="PORT", variable="ATOTA_PORT", key="port", complete="ports",
        help="Device, socket://HOST:PORT, rfc2217://HOST:PORT, sim://MODEL, replay://FILE, or auto: the one "
        "whose module answers. Without it, the port of the board's adapter.",
    )] = None  # fmt: skip
    baud: Annotated[Baud | None, _LINK(
        whole(1, 4_000_000), "--baud", "-b", metavar="RATE", variable="ATOTA_BAUD",
        help="The only rate to try, bit/s; searched for if not given.",
    )] = None  # fmt: skip
    first_baud: Annotated[Baud | None, _row(
        whole(1, 4_000_000), key="baud", board="serial.baud",
        help="The rate to begin the search with, bit/s.",
    )] = None  # fmt: skip
    dialect: Annotated[Text | None, _LINK(
        text, "--dialect", metavar="NAME", variable="ATOTA_DIALECT", key="dialect", board="dialect",
        complete="dialects", help="The module's dialect; recognised by its answers if not given.",
    )] = None  # fmt: skip
    model: Annotated[Text | None, _LINK(
        text, "--model", metavar="MODEL", variable="ATOTA_MODEL", key="model", board="model",
        complete="models", help="The module's name in `atota modules`; read from it if not given.",
    )] = None  # fmt: skip
    board: Annotated[Path | None, _LINK(
        path, "--board", metavar="FILE", variable="ATOTA_BOARD", key="board",
        help="Board file: adapter, rates, reset lines.",
    )] = None  # fmt: skip
    transcript: Annotated[Path | None, _LINK(
        path, "--transcript", metavar="FILE", variable="ATOTA_TRANSCRIPT", key="transcript",
        help="Write every byte of both directions to FILE.",
    )] = None  # fmt: skip
    transcripts_days: Annotated[int, _row(
        whole(0, 36_500), variable="ATOTA_TRANSCRIPTS_DAYS", key="transcripts_days",
        help="Days for which the transcripts of failed jobs are kept.",
    )] = 90  # fmt: skip
    transcripts_mb: Annotated[int, _row(
        whole(0, 1_000_000), variable="ATOTA_TRANSCRIPTS_MB", key="transcripts_mb",
        help="Megabytes that those transcripts may take together; the oldest go first.",
    )] = 200  # fmt: skip
    timeout_s: Annotated[Seconds | None, _LINK(
        seconds, "--timeout", metavar="SECONDS", variable="ATOTA_TIMEOUT", key="timeout_s",
        board="limits.timeout_s", help="Time limit of the whole command (exit 124).",
    )] = None  # fmt: skip
    wait: Annotated[bool, _row(
        flag, "--wait", group=Group.WAIT,
        help="Wait for the end of an update that the module is carrying out by itself.",
    )] = False  # fmt: skip
    api: Annotated[Text | None, _PLATFORM(
        word, "--api", metavar="generic|studio|fuse", variable="ATOTA_API", key="api", board="ota.api",
        complete="apis",
        help="The API of the platform; without it the server decides, else it is generic.",
    )] = None  # fmt: skip
    server: Annotated[ServerUrl | None, _PLATFORM(
        server_url, "--server", metavar="URL", variable="ATOTA_SERVER", key="server", board="ota.server",
        help="The OTA platform, https unless it begins with http://; without it, the API's own server.",
    )] = None  # fmt: skip
    dev_id: Annotated[Text | None, _PLATFORM(
        text, "--dev-id", metavar="ID", variable="ATOTA_DEV_ID", key="dev_id", board="ota.dev_id",
        help="The platform's id of the device (generic).",
    )] = None  # fmt: skip
    product_id: Annotated[Text | None, _PLATFORM(
        text, "--product-id", metavar="ID", variable="ATOTA_PRODUCT_ID", key="product_id",
        board="ota.product_id", help="The product of the device and of the access key.",
    )] = None  # fmt: skip
    task_type: Annotated[TaskType, _row(
        OneOf("fota", "sota"), "--type", metavar="fota|sota", group=Group.TYPE, variable="ATOTA_TYPE",
        key="type", board="ota.type", help="Module firmware, or the application of a chip.",
    )] = "fota"  # fmt: skip
    fw_version: Annotated[Text | None, _PLATFORM(
        version, "--fw-version", metavar="TEXT", variable="ATOTA_FW_VERSION", key="fw_version",
        board="ota.fw_version", help="The version to send instead of the one that the module answers.",
    )] = None  # fmt: skip
    auth_method: Annotated[AuthMethod, _PLATFORM(
        OneOf("md5", "sha1", "sha256"), "--auth-method", metavar="md5|sha1|sha256",
        variable="ATOTA_AUTH_METHOD", key="auth_method", board="ota.auth_method",
        help="The digest that signs requests.",
    )] = "sha256"  # fmt: skip
    device_name: Annotated[Text | None, _PLATFORM(
        text, "--device-name", metavar="NAME", variable="ATOTA_DEVICE_NAME", key="device_name",
        board="ota.device_name",
        help="The device's name (studio, fuse); the access key is its own, unless --key-level says more.",
    )] = None  # fmt: skip
    user_id: Annotated[Text | None, _PLATFORM(
        text, "--user-id", metavar="ID", variable="ATOTA_USER_ID", key="user_id", board="ota.user_id",
        help="The account that the access key belongs to.",
    )] = None  # fmt: skip
    key_level: Annotated[KeyLevel | None, _PLATFORM(
        OneOf("product", "device", "user"), "--key-level", metavar="product|device|user",
        variable="ATOTA_KEY_LEVEL", key="key_level", board="ota.key_level",
        help="The owner of the access key; without it, the account or the device that is named.",
    )] = None  # fmt: skip
    auth_ttl_s: Annotated[int, _PLATFORM(
        whole(1, 315_360_000),  # ten years; the platform's own samples go far into the future
        "--auth-ttl", metavar="SECONDS", variable="ATOTA_AUTH_TTL", key="auth_ttl_s",
        help="Time for which a signature stays valid.",
    )] = 3600  # fmt: skip
    access_key: Annotated[Secret | None, _PLATFORM(
        path, "--access-key-file", metavar="FILE", variable="ATOTA_ACCESS_KEY_FILE",
        key="access_key_file", secret="ATOTA_ACCESS_KEY",  # noqa: S106 - the variable's name
        help="File with the access key; the variable ATOTA_ACCESS_KEY holds the key itself.",
    )] = None  # fmt: skip
    authorization: Annotated[Secret | None, _row(path, secret="ATOTA_AUTHORIZATION")] = None  # noqa: S106
    ca_file: Annotated[Path | None, _PLATFORM(
        path, "--cacert", metavar="FILE", variable="ATOTA_CACERT", key="cacert",
        help="Certificates (PEM) to trust instead of the system's, such as a company proxy's own.",
    )] = None  # fmt: skip
    cdn: Annotated[
        bool,
        _PLATFORM(flag, "--cdn/--no-cdn", help="Download from the address that the platform names."),
    ] = False
    journal: Annotated[Path | None, _row(
        path, "--journal", metavar="FILE", group=Group.JOURNAL, variable="ATOTA_JOURNAL", key="journal",
        help="The journal of all jobs; without it, the one in the user's data folder.",
    )] = None  # fmt: skip
    cache: Annotated[Path | None, _row(
        path, "--cache", metavar="FOLDER", group=Group.CACHE, variable="ATOTA_CACHE", key="cache",
        help="The folder of downloaded packages; without it, the user's cache folder.",
    )] = None  # fmt: skip
    any_base: Annotated[bool, _row(
        flag, "--any-base", group=Group.PACKAGE,
        help="Ignore the base version in the package's file name.",
    )] = False  # fmt: skip
    transfer_baud: Annotated[TransferBaud | None, _UPDATE(
        whole(0, 4_000_000), "--transfer-baud", metavar="RATE", board="serial.transfer_baud",
        help="Raise the rate to this for the transfer; 0 keeps it. Without it, the line decides.",
    )] = None  # fmt: skip
    block: Annotated[int | None, _UPDATE(
        whole(1, 1_000_000), "--block", metavar="BYTES",
        help="Bytes in a block. Without it, the largest that is documented and taken.",
    )] = None  # fmt: skip
    reboot_timeout_s: Annotated[Seconds | None, _UPDATE(
        seconds, "--reboot-timeout", metavar="SECONDS", variable="ATOTA_REBOOT_TIMEOUT",
        key="reboot_timeout_s", board="limits.reboot_timeout_s",
        help="Time in which the module must come back (exit 11).",
    )] = None  # fmt: skip
    expect_version: Annotated[Text | None, _UPDATE(
        text, "--expect-version", metavar="TEXT",
        help="The version that the module prints after the update, if it is not the target's name.",
    )] = None  # fmt: skip
    verify: Annotated[Literal["read-back"] | None, _UPDATE(
        OneOf("read-back"), "--verify", metavar="read-back",
        help="Read back what was written and compare it, where the module can be asked for it.",
    )] = None  # fmt: skip
    serve_url: Annotated[Text | None, _UPDATE(
        serve_address, "--serve-url", metavar="http://HOST:PORT",
        help="Serve the package from here, for modules that fetch it themselves.",
    )] = None  # fmt: skip
    resume: Annotated[Text | None, _UPDATE(
        text, "--resume", metavar="RUN", complete="runs",
        help="Continue this run. Without it, the module's newest unfinished run is found and continued.",
    )] = None  # fmt: skip
    vendor_package: Annotated[bool, _UPDATE(
        flag, "--vendor-package", board="ota.vendor_package",
        help="The platform's package is the module vendor's own, not one that OneNET made.",
    )] = False  # fmt: skip
    allow_unproven: Annotated[
        bool, _UPDATE(flag, "--allow-unproven", help="Use a method that no document names for this module.")
    ] = False
    allow_downgrade: Annotated[
        bool,
        _UPDATE(flag, "--allow-downgrade", board="accept.downgrade", help="Allow an older version."),
    ] = False
    allow_erase: Annotated[bool, _UPDATE(
        flag, "--allow-erase",
        help="Erase all flash of a chip that is protected against reading, as lifting the protection does.",
    )] = False  # fmt: skip
    yes: Annotated[bool, _UPDATE(flag, "--yes", "-y", help="Do not ask before the update begins.")] = False
    detailed_exit_code: Annotated[
        bool, _UPDATE(flag, "--detailed-exit-code", help="Exit 10 if there was nothing to do.")
    ] = False
    origin: Mapping[str, str] = {}

    def explain(self) -> list[str]:
        """Return a line for each setting that has a value: the value and its origin; no secret."""
        values = ((row, getattr(self, row.name)) for row in rows().values())
        return [
            f"{row.name}: {'(secret)' if isinstance(value, Secret) else value} ({self.origin[row.name]})"
            for row, value in values
            if value is not None and value is not False
        ]


@functools.cache
def rows() -> dict[str, Row]:
    """Return the table: every row by the name of its setting, in the order of `Settings`."""
    hints = get_type_hints(Settings, include_extras=True)
    defaults = zip(Settings.__struct_fields__, Settings.__struct_defaults__, strict=True)
    return {
        name: msgspec.structs.replace(row, name=name, type=_bare(kind), default=default)
        for name, default in defaults
        for kind, row in [_annotation(hints[name])]
        if row is not None
    }


def in_board() -> dict[str, Row]:
    """Return the settings that a board file may give, by their place in it, such as ``ota.server``."""
    return {row.board: row for row in rows().values() if row.board is not None}


def in_config() -> dict[str, Row]:
    """Return the settings that the user's configuration may give, by their key."""
    return {row.key: row for row in rows().values() if row.key is not None}


def board_table(name: str) -> Any:
    """Return a struct of the settings in the table ``[name]`` of a board file."""
    members = {board_path.partition("."): row for board_path, row in in_board().items()}
    return toml_table(
        name.capitalize(), {key: row for (table, _, key), row in members.items() if table == name}
    )


def toml_table(name: str, members: Mapping[str, Row], about: str = "") -> Any:
    """Return a struct of settings by their keys; each value is parsed as soon as there is one."""

    def check(self: msgspec.Struct) -> None:
        for key, row in members.items():
            value = getattr(self, key)
            try:
                if value is not None:
                    row.parse(value)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None

    fields = [row.field(key) for key, row in members.items()]
    namespace = {"__post_init__": check, "__doc__": about}
    return msgspec.defstruct(
        name,
        fields,
        namespace=namespace,
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _annotation(hint: Any) -> tuple[Any, Row | None]:
    kind, *metadata = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    return kind, next((one for one in metadata if isinstance(one, Row)), None)


def _bare(kind: Any) -> Any:
    """Return a type without its None."""
    if type(None) not in get_args(kind):
        return kind
    return Union[tuple(one for one in get_args(kind) if one is not type(None))]  # noqa: UP007 - made at run time
