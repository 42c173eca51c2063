"""The options that commands share, each written down once.

A command names the groups it takes; `atota.cli.command` puts them into its signature.
"""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

Group = tuple[inspect.Parameter, ...]


def complete_ports(incomplete: str) -> list[str]:
    """Names of serial ports, for the shell."""
    from atota.link.ports import port_names

    return [name for name in port_names() if name.startswith(incomplete)]


def complete_dialects(incomplete: str) -> list[str]:
    """Names of dialects, for the shell."""
    from atota.dialects.loader import names, own_files

    return [name for name in (*names(), *own_files()) if name.startswith(incomplete)]


def complete_models(incomplete: str) -> list[str]:
    """Names of the catalogue's models, for the shell."""
    from atota.dialects.catalogue import rows

    wanted = incomplete.lower()
    return [row.model for row in rows() if row.task_type == "fota" and row.model.lower().startswith(wanted)]


def option(name: str, kind: Any, *flags: str, default: Any = None, **settings: Any) -> inspect.Parameter:
    """One option of a command. Its help is shown as it is: brackets are no markup."""
    if "help" in settings:
        settings["help"] = settings["help"].replace("[", "\\[")
    annotation = Annotated[kind, typer.Option(*flags, **settings)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_LINK = "Port and module"
_PLATFORM = "Platform"
_SHOW = "Output"

SHOW: Group = (
    option("json_lines", bool, "--json", default=False, help="JSON Lines on stdout.", rich_help_panel=_SHOW),
    option(
        "verbose",
        int,
        "--verbose",
        "-v",
        default=0,
        count=True,
        help="Tell more; twice: the conversation.",
        rich_help_panel=_SHOW,
    ),
    option(
        "quiet",
        bool,
        "--quiet",
        "-q",
        default=False,
        help="Only results and errors.",
        rich_help_panel=_SHOW,
    ),
    option("no_progress", bool, "--no-progress", default=False, help="Draw no bars.", rich_help_panel=_SHOW),
)

LINK: Group = (
    option(
        "port",
        str | None,
        "--port",
        "-p",
        metavar="PORT",
        help="Device, socket://HOST:PORT, rfc2217://HOST:PORT, sim://MODEL, replay://FILE. [env: ATOTA_PORT]",
        autocompletion=complete_ports,
        rich_help_panel=_LINK,
    ),
    option(
        "baud",
        int | None,
        "--baud",
        "-b",
        metavar="RATE",
        help="The only rate to try, bit/s; found if not given. [env: ATOTA_BAUD]",
        rich_help_panel=_LINK,
    ),
    option(
        "dialect",
        str | None,
        "--dialect",
        metavar="NAME",
        help="How the module talks; recognised if not given. [env: ATOTA_DIALECT]",
        autocompletion=complete_dialects,
        rich_help_panel=_LINK,
    ),
    option(
        "model",
        str | None,
        "--model",
        metavar="MODEL",
        help="The module's name in `atota modules`; read from it if not given. [env: ATOTA_MODEL]",
        autocompletion=complete_models,
        rich_help_panel=_LINK,
    ),
    option(
        "board",
        Path | None,
        "--board",
        metavar="FILE",
        help="Board file: adapter, rates, reset lines. [env: ATOTA_BOARD]",
        rich_help_panel=_LINK,
    ),
    option(
        "transcript",
        Path | None,
        "--transcript",
        metavar="FILE",
        help="Write every byte both ways into FILE.",
        rich_help_panel=_LINK,
    ),
    option(
        "timeout_s",
        float | None,
        "--timeout",
        metavar="SECONDS",
        help="Time limit of the whole command (exit 124).",
        rich_help_panel=_LINK,
    ),
)

PLATFORM: Group = (
    option(
        "server",
        str | None,
        "--server",
        metavar="URL",
        help="The OTA platform; https unless it says http://. [env: ATOTA_SERVER; default: ota.heclouds.com]",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "dev_id",
        str | None,
        "--dev-id",
        metavar="ID",
        help="The platform's id of the device. [env: ATOTA_DEV_ID]",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "product_id",
        str | None,
        "--product-id",
        metavar="ID",
        help="The product that the access key belongs to. [env: ATOTA_PRODUCT_ID]",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "type_",
        str | None,
        "--type",
        metavar="fota|sota",
        help="Module or application firmware [default: fota].",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "fw_version",
        str | None,
        "--fw-version",
        metavar="TEXT",
        help="The version to send instead of the one the module tells.",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "auth_method",
        str | None,
        "--auth-method",
        metavar="md5|sha1|sha256",
        help="How requests are signed [default: sha256].",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "device_name",
        str | None,
        "--device-name",
        metavar="NAME",
        help="Sign for this one device, with its own key.",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "auth_ttl_s",
        int | None,
        "--auth-ttl",
        metavar="SECONDS",
        help="How long a signature stays valid [default: 3600].",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "access_key_file",
        Path | None,
        "--access-key-file",
        metavar="FILE",
        help="File with the access key; or ATOTA_ACCESS_KEY in the environment.",
        rich_help_panel=_PLATFORM,
    ),
    option(
        "cdn",
        bool,
        "--cdn/--no-cdn",
        default=False,
        help="Download from the address that the platform names.",
        rich_help_panel=_PLATFORM,
    ),
)

JOURNAL: Group = (
    option(
        "journal",
        Path | None,
        "--journal",
        metavar="FILE",
        help="The journal of all jobs. [env: ATOTA_JOURNAL; default: in the user's data folder]",
        rich_help_panel="Journal",
    ),
)

_WRITE = "Update"
WRITE: Group = (
    option(
        "transfer_baud",
        int | None,
        "--transfer-baud",
        metavar="RATE",
        help="Raise the rate to this for the transfer; 0: never. [default: as the dialect says]",
        rich_help_panel=_WRITE,
    ),
    option(
        "block",
        int | None,
        "--block",
        metavar="BYTES",
        help="Bytes a block. [default: as the dialect says]",
        rich_help_panel=_WRITE,
    ),
    option(
        "reboot_timeout_s",
        float | None,
        "--reboot-timeout",
        metavar="SECONDS",
        help="How long the module may take to come back (exit 11).",
        rich_help_panel=_WRITE,
    ),
    option(
        "expect_version",
        str | None,
        "--expect-version",
        metavar="TEXT",
        help="What the module will print after the update, if not the target's name.",
        rich_help_panel=_WRITE,
    ),
    option(
        "verify",
        str | None,
        "--verify",
        metavar="read-back",
        help="Read back what was written and compare it, where the module can be asked for it.",
        rich_help_panel=_WRITE,
    ),
    option(
        "serve_url",
        str | None,
        "--serve-url",
        metavar="http://HOST:PORT",
        help="Serve the package from here, for modules that fetch it themselves.",
        rich_help_panel=_WRITE,
    ),
    option(
        "vendor_package",
        bool,
        "--vendor-package",
        default=False,
        help="The platform's package is the module vendor's own, not one that OneNET made.",
        rich_help_panel=_WRITE,
    ),
    option(
        "allow_unproven",
        bool,
        "--allow-unproven",
        default=False,
        help="Use a method that no document names for this module.",
        rich_help_panel=_WRITE,
    ),
    option(
        "allow_downgrade",
        bool,
        "--allow-downgrade",
        default=False,
        help="Go to an older version.",
        rich_help_panel=_WRITE,
    ),
    option(
        "yes",
        bool,
        "--yes",
        "-y",
        default=False,
        help="Do not ask before the update begins.",
        rich_help_panel=_WRITE,
    ),
    option(
        "detailed_exit_code",
        bool,
        "--detailed-exit-code",
        default=False,
        help="Exit 10 when there was nothing to do.",
        rich_help_panel=_WRITE,
    ),
)
