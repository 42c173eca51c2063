"""The commands of the hex blocks and the reading of their responses, apart from their order."""

from functools import reduce
from operator import xor

from atota.at.syntax import Command
from atota.dialects.methods.nfwupd import BlockRule, NfwupdSpec
from atota.errors import WriteFailed
from atota.fota.base import Method
from atota.module.response import Response
from atota.module.session import Session

ERASE, DOWNLOAD, VALIDATE, NAME, START = 0, 1, 2, 3, 5
MOST_BLOCKS = 65536
"""Block numbers have 16 bits; the effect of a retry after they wrap is not documented."""
BUSY_PAUSE_S = 1.0
_BUSY_LIMIT_S = 60.0
"""A module that is busy for longer than its own erase takes will not become free."""
_FLASH_PAGE = 4096
"""Slots end with a page of the flash: 4 KiB, or 8 KiB in the configuration of the Hi2115 SDK."""


def lengths(size: int, block: int, rule: BlockRule) -> list[int] | None:
    """Cut ``size`` bytes into blocks the firmware takes, ``block`` at a time; None if it can't be done."""
    whole, tail = divmod(size, block)
    plan = [block] * whole
    if tail and rule.allows(tail):
        return [*plan, tail]
    for length in sorted(rule.only, reverse=True):
        count, tail = divmod(tail, length) if length < block else (0, tail)
        plan += [length] * count
    return plan if not tail else None


class NfwupdCommands(Method):
    """The commands of one module, and the reading of their responses."""

    spec: NfwupdSpec

    def download(self, number: int, chunk: bytes) -> Command:
        """Return the command that sends one block."""
        fields = f"{number},{len(chunk)},{chunk.hex().upper()},{reduce(xor, chunk):02X}"
        return self.command(DOWNLOAD, fields)

    def command(self, code: int, fields: str = "") -> Command:
        """Return the command with a code."""
        name = self.spec.command
        prefix = self.spec.answer.rstrip(":")
        text = f"{name}={code}" + (f",{fields}" if fields else "")
        return Command(text=text, prefixes=(prefix,), free_text=False)

    def unless_busy(self, session: Session, command: Command, timeout_s: float) -> Response:
        """Send a command; as long as the response is "busy", wait and send it again, within bounds."""
        waited = 0.0
        while True:
            response = session.command(command, timeout_s=timeout_s)
            if response.final.code not in self.spec.busy_codes or waited >= _BUSY_LIMIT_S:
                return response
            session.listen(BUSY_PAUSE_S)
            waited += BUSY_PAUSE_S
            self.counters.retries += 1

    def status_of(self, response: Response) -> str | None:
        """Return the status text of a response, or None."""
        for line in response.lines:
            if line.startswith(self.spec.answer):
                return line[len(self.spec.answer) :].strip()
        return None

    def failed(self, what: str, response: Response) -> WriteFailed:
        """Return the error for a refusal: ``what``, the status text and the final result, in words."""
        status = self.status_of(response)
        if not status:
            return WriteFailed(f"{what}: {self.final_words(response)}")
        words = self.spec.status_words(status)
        shown = f"{status} ({words})" if words else status
        return WriteFailed(f"{what}: {shown}, {self.final_words(response)}")

    def block_failure(
        self, number: int, attempts: int, done: int, length: int, response: Response
    ) -> WriteFailed:
        """Return the error for a block of ``length`` bytes, refused each time after ``done`` bytes."""
        what = f"the module refused block {number} {attempts} times"
        failure = self.failed(f"{what}, after it took {done} bytes" if number else what, response)
        if number and -done % _FLASH_PAGE < length:
            return WriteFailed(
                f"{failure.message}; its FOTA slot seems to end there",
                hint="The module runs its old firmware. Ask the vendor for a package that is smaller.",
            )
        return failure
