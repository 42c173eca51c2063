"""Commands that talk to a module and leave its firmware alone: at, wait."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.options import ShowImei
from atota.cli.view.tables import identity_table
from atota.cli.wiring import opened_module
from atota.clock import Deadline, SystemClock
from atota.errors import (
    AtotaError,
    Interrupted,
    JobTimeout,
    LinkLost,
    ModuleError,
    ModuleRefused,
    NoAnswer,
    OldVersion,
    PortNotFound,
    RebootTimeout,
    UsageError,
)
from atota.module.response import Response
from atota.module.session import Session
from atota.values import Identity

_LIMIT_S = 900.0  # ours: the longest reboot that a profile names takes ten minutes
_AGAIN_S = 2.0
_ESCAPE = b"\x1b"  # 27.005 section 3.5.1: <ESC> behind the prompt cancels the message


def at(
    call: Call,
    commands: Annotated[list[str], typer.Argument(metavar="COMMAND", help="AT commands, sent in order.")],
    within: Annotated[
        float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="Limit for each response.")
    ] = 10.0,
) -> int:
    """Send commands and print their responses; return the exit code."""
    for command in commands:
        require_line(command)
    call.out.begin(port=call.port)
    responses: list[Response] = []
    with opened_module(call, restarts=False) as module:
        module.identify()
        module.session.take_urcs()
        for command in commands:
            try:
                response = module.session.command(command, timeout_s=within)
            except NoAnswer:
                cancel_prompt(call, module.session)
                raise
            responses.append(response)
            lines = [*response.lines, str(response.final)]
            call.out.event("response", "\n".join(lines), **response_fields(response))
            for urc in module.session.take_urcs():
                call.out.event("urc", text=urc)
                call.out.say(f"module: {urc}")
            if not response.ok:
                break
    fields: dict[str, Any] = {"responses": [response_fields(one) for one in responses]}
    if not responses[-1].ok:
        answer = f"the module answers {responses[-1].command} with {responses[-1].final}"
        return call.out.failure(ModuleRefused(answer), **fields)
    call.done(**fields)
    return 0


def require_line(command: str) -> None:
    """Refuse what is not a command line.

    Raises:
        UsageError: it is not.
    """
    if not command.isascii() or not command.isprintable() or not command.upper().startswith("AT"):
        raise UsageError(
            f"{command!r} is not an AT command", hint="Write it as the manual does, such as 'AT+CSQ'."
        )


def cancel_prompt(call: Call, session: Session) -> None:
    """Take back a command that asks for data, such as AT+CMGS: else the next command would be the data."""
    if session.exchange.pending.strip() == b">":
        session.link.write(_ESCAPE)
        session.listen(_AGAIN_S)
        call.out.say("the module asks for data behind its prompt, which cannot be given here: taken back")


def response_fields(response: Response) -> dict[str, Any]:
    """Return a response as JSON has it."""
    final = response.final
    return {
        "command": response.command,
        "ok": response.ok,
        "lines": list(response.lines),
        "final": {"text": str(final), "kind": final.kind, "code": final.code},
    }


@dataclass(slots=True)
class _Seen:
    """The result of one look at the port: an identity, or the error."""

    identity: Identity | None = None
    error: AtotaError | None = None

    def runs(self, version: str | None) -> bool:
        """True if the module answers and, where a version is given, runs it."""
        if self.identity is None:
            return False
        return version is None or version in (self.identity.version, self.identity.revision)


def wait(
    call: Call,
    version: Annotated[
        str | None, typer.Option("--version", metavar="TEXT", help="Wait until the module runs this version.")
    ] = None,
    show_imei: ShowImei = False,
) -> None:
    """Wait for the module.

    Raises:
        OldVersion: it answers, and runs another version at the end of the time.
        RebootTimeout: it does not answer in time.
        Interrupted: the stop token was set.
    """
    call.out.begin(port=call.port)
    clock = SystemClock()
    limit = Deadline(clock, call.settings.timeout_s or _LIMIT_S)
    shown = ""
    last = None
    while not (seen := _look(call)).runs(version):
        last = seen if seen.identity is not None else last
        if limit.expired:
            raise _too_late(last or seen, version)
        if (state := _state(seen)) != shown:
            shown = state
            call.out.say(f"{state}; waiting for up to {limit.remaining:.0f} s")
        pause = Deadline(clock, _AGAIN_S)
        while not pause.expired:
            if call.stop.is_set:
                raise Interrupted("stopped by the user")
            clock.sleep(clock.slice_s)
    assert seen.identity is not None
    call.done(identity_table(seen.identity, show_imei=show_imei), module=msgspec.to_builtins(seen.identity))


def _look(call: Call) -> _Seen:
    try:
        with opened_module(call, restarts=False, shows_search=False) as module:
            return _Seen(module.identify())
    except (ModuleError, PortNotFound, LinkLost, JobTimeout) as error:
        return _Seen(error=error)


def _state(seen: _Seen) -> str:
    if seen.identity is not None:
        return f"the module runs {seen.identity.version or 'an unknown version'}"
    return seen.error.message if seen.error is not None else "no answer"


def _too_late(seen: _Seen, version: str | None) -> AtotaError:
    if seen.identity is not None:
        return OldVersion(f"{_state(seen)}, not {version}", hint="Run the update again, or wait longer.")
    return RebootTimeout(f"the module did not come back in time: {_state(seen)}")
