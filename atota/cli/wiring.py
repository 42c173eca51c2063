"""Builds what commands need from their settings: the opened module, the platform, the job's description."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from atota.cli.call import Call
from atota.clock import SystemClock
from atota.errors import ConfigError, UsageError
from atota.link.base import Link
from atota.module.module import Module, open_module

if TYPE_CHECKING:
    from atota.ota.client import PlatformClient
    from atota.ota.onenet.signer import Auth
    from atota.settings.spec import JobSpec


@contextmanager
def opened_module(call: Call) -> Iterator[Module]:
    """The module on the port that was asked for, behind a transcript where one is wanted."""
    settings = call.settings
    with ExitStack() as stack:
        opener = module_opener(call, stack)
        module = opener(
            call.port,
            baud=settings.baud,
            dialect=settings.dialect,
            model=settings.model,
            board=call.board,
            stop=call.stop,
        )
        with module:
            if settings.timeout_s is not None:
                from atota.clock import Deadline

                module.session.limit = Deadline(module.session.clock, settings.timeout_s)
            yield module


def module_opener(call: Call, stack: ExitStack, spec: "JobSpec | None" = None) -> Any:
    """`open_module`, with transcripts as the options ask for; ``stack`` closes their files.

    Their heads tell of the job, or of the options if there is none.
    """
    from functools import partial

    wanted = spec.transcript if spec is not None else call.settings.transcript
    if wanted is None and call.out.verbosity < 2:
        return open_module
    return partial(open_module, wrap=_wrapper(call, stack, spec or job_spec(call)))


def _wrapper(call: Call, stack: ExitStack, spec: "JobSpec") -> Any:
    import sys

    from atota.settings.head import head_of
    from atota.transcript.masking import Masker
    from atota.transcript.writer import TranscriptLink

    path = spec.transcript
    context = head_of(call.out.command, spec).lines()
    written: list[TranscriptLink] = []

    def wrap(link: Link) -> Link:
        if path is not None:
            # One file holds all of a conversation, also when the adapter went away and came back.
            before = written[-1] if written else None
            file = before.file if before is not None else _created(Path(path), stack)
            link = TranscriptLink(link, file, masker=Masker(), context=context, after=before)
            written.append(link)
        if call.out.verbosity >= 2:
            link = TranscriptLink(link, sys.stderr, masker=Masker(), context=context)
        return link

    return wrap


def _created(path: Path, stack: ExitStack) -> TextIO:
    try:
        return stack.enter_context(path.open("w", encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"the transcript {path} cannot be written: {error.strerror}") from error


@contextmanager
def opened_platform(call: Call) -> Iterator["PlatformClient"]:
    """The platform's client, signing as the settings say."""
    from atota.ota.client import PlatformClient

    settings = call.settings
    client = PlatformClient(
        settings.server,
        _auth(call),
        clock=SystemClock(),
        stop=call.stop,
        on_wait=lambda why, seconds: call.out.say(f"{why}; trying again in {seconds:g} s"),
    )
    with client:
        if client.plain_http and not _is_local(client.server):
            call.out.warn(f"{client.server} is plain http: everybody on the way can read the download token")
        yield client


def _is_local(url: str) -> bool:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _auth(call: Call) -> "Auth":
    from atota.ota.onenet.signer import GivenAuth, KeyAuth, device_res, product_res

    settings = call.settings
    if settings.authorization is not None:
        return GivenAuth(settings.authorization.read())
    if settings.access_key is None:
        raise UsageError(
            "the access key is missing",
            hint="Set ATOTA_ACCESS_KEY, or give --access-key-file FILE; the console shows the key.",
        )
    if settings.product_id is None:
        raise UsageError("the product id is missing", hint="Give --product-id: the access key belongs to it.")
    name = settings.device_name
    res = device_res(settings.product_id, name) if name is not None else product_res(settings.product_id)
    return KeyAuth(
        settings.access_key.read(),
        res,
        clock=SystemClock(),
        method=settings.auth_method,
        ttl_s=settings.auth_ttl_s,
    )


def _read_back(how: str | None) -> bool:
    if how not in (None, "read-back"):
        raise UsageError(f"--verify knows read-back, not {how!r}")
    return how is not None


def job_spec(call: Call, **more: Any) -> Any:
    """What the options and settings ask a job to do."""
    from atota.settings.spec import Allowed, JobSpec

    settings, options = call.settings, call.options
    return JobSpec(
        port=call.port,
        baud=settings.baud,
        dialect=settings.dialect,
        model=settings.model,
        board=call.board,
        dev_id=settings.dev_id,
        task_type=settings.type,
        fw_version=settings.fw_version,
        expect_version=options.get("expect_version"),
        block=options.get("block"),
        transfer_baud=options.get("transfer_baud"),
        timeout_s=settings.timeout_s,
        reboot_timeout_s=settings.reboot_timeout_s,
        cdn=bool(options.get("cdn")),
        read_back=_read_back(options.get("verify")),
        serve_url=options.get("serve_url"),
        resume=options.get("resume"),
        transcript=Path(settings.transcript) if settings.transcript is not None else None,
        allowed=Allowed(
            unproven=bool(options.get("allow_unproven")),
            downgrade=bool(options.get("allow_downgrade")),
            any_base=bool(options.get("any_base")),
            vendor_package=bool(options.get("vendor_package")),
        ),
        **more,
    )
