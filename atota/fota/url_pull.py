"""The module is handed an address, fetches the package itself and updates.

The package is verified on this machine first, so that the module is never sent after something wrong.
The address is the platform's own, or one that this machine serves. It is a secret for as long as the
download token in it lives, so no error repeats it.

There is no way back once the address is handed over: the download runs into the update by itself. So
`write` only checks that the module is on the network, and `activate` does the rest.
"""

from pathlib import Path
from urllib.parse import urlsplit

from atota.at.syntax import Command
from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.streams import UrlPull
from atota.errors import ModuleRebooted, Refused, WriteFailed
from atota.fota.base import Progress
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.session import Session

_LISTEN_S = 1.0
_HAND_OVER_LIMIT_S = 1800.0
"""A download over NB-IoT takes long: 580 KiB at 20 kbit/s is four minutes, with repetitions far more."""


class HandedUrl(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    streams = False
    needs_address = True

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, UrlPull):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch)
        self._method = dialect.method
        self._url = ""

    def locate(self, address: str) -> None:
        """Say where the module is to fetch the package from."""
        self._url = address

    def check(self, package: Path) -> None:
        """Refuse an address that the module cannot take."""
        self.size_of(package)
        if not self._url:
            raise Refused(
                "this module fetches packages itself, and there is no address that it could fetch from",
                hint="Give --serve-url http://HOST:PORT: an address here that the module can reach.",
            )
        scheme = urlsplit(self._url).scheme
        if scheme not in self._method.schemes:
            raise Refused(
                f"this module cannot fetch over {scheme}: only {', '.join(self._method.schemes)}",
                hint="Give --serve-url http://HOST:PORT, or a platform address that begins with http://.",
            )
        if len(self._url) > self._method.longest_url:
            raise Refused(
                f"the address has {len(self._url)} characters; the module takes {self._method.longest_url}"
            )

    def probe(self, session: Session) -> None:
        """Ask for the test form of the command."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:
        """See that the module is on the network before it is sent there."""
        self.tally.blocks = 0
        for question in self._method.attached:
            reply = session.command(question.send)
            if not reply.ok or question.find(reply.lines) is None:
                said = " ".join(reply.lines) or str(reply.final)
                raise WriteFailed(
                    f"the module is not on the network: {question.send} says {said!r}",
                    hint="Check SIM and antenna, wait for the registration, and run the command again.",
                )

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Nothing to stream: the module fetches it."""

    def activate(self, session: Session) -> None:
        """Hand the address over, and follow the download until the update begins."""
        command = Command.of(self._method.start.format(url=self._url))
        reply = session.command(command, timeout_s=ANSWER_S)
        if not reply.ok:
            raise self.refused("the module does not take the address", reply)
        deadline = Deadline(session.clock, _HAND_OVER_LIMIT_S)
        silence = Deadline(session.clock, self._watch.silence_s)
        try:
            while not deadline.expired and not silence.expired:
                session.listen(_LISTEN_S)
                lines = session.take_urcs()
                if lines:
                    silence = Deadline(session.clock, self._watch.silence_s)
                for line in lines:
                    self.hear(line)
                    if self._watch.begun(line):
                        return
                if self.failure is not None:
                    raise WriteFailed(f"the module could not fetch the package: {self.failure}")
        except ModuleRebooted:
            return
        if session.is_alive(2.0):
            raise WriteFailed("the module fell silent before the update began, but still answers")
