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
from atota.values import is_local_server

if TYPE_CHECKING:
    from atota.ota.base import Platform
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
def opened_platform(call: Call) -> Iterator["Platform"]:
    """The platform, opened as the settings say."""
    from atota.ota.registry import DEFAULT, Access, open_platform

    settings = call.settings
    key, header = settings.access_key, settings.authorization
    access = Access(
        server=settings.server,
        clock=SystemClock(),
        access_key=None if key is None or header is not None else key.read(),
        authorization=None if header is None else header.read(),
        product_id=settings.product_id,
        device_name=settings.device_name,
        auth_method=settings.auth_method,
        auth_ttl_s=settings.auth_ttl_s,
        stop=call.stop,
        on_wait=lambda why, seconds: call.out.say(f"{why}; trying again in {seconds:g} s"),
    )
    with open_platform(DEFAULT, access) as platform:
        server = platform.server
        if server.startswith("http://") and not is_local_server(server):
            call.out.warn(f"{server} is plain http: everybody on the way can read the download token")
        yield platform


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
