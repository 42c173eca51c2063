"""The module is handed an address, fetches the package itself and updates.

The package is verified on this machine first, so that the module is never sent after something wrong.
The address is the platform's own, or one that this machine serves. It is a secret for as long as the
download token in it lives, so no error repeats it.

There is no way back once the address is handed over: the download runs into the update by itself. So
`prepare` only sees that the module is on the network, and `activate` does the rest.
"""

from pathlib import Path
from urllib.parse import urlsplit

from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.parts import Ask
from atota.dialects.streams import UrlPull
from atota.errors import ModuleRebooted, Refused, WriteFailed
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import Streamed, Unanswered
from atota.module.session import Session

_LIMIT_S = 1800.0
"""A download over NB-IoT takes long: 580 KiB at 20 kbit/s is four minutes, with repetitions far more."""
_REGISTER_S = 60.0
"""A module that was just started registers within a minute where there is coverage."""
_LOOK_AGAIN_S = 3.0
_REFUSAL_S = 5.0
"""A package that the module refuses is told right after the update was said to begin."""


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
        self._handed = False

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
        if len(self._url) > self._method.longest_url or not self._url.isascii() or '"' in self._url:
            raise Refused(
                f"the module takes addresses of up to {self._method.longest_url} plain characters; "
                f"this one has {len(self._url)}",
                hint="Give --serve-url http://HOST:PORT: an address here is short.",
            )

    def probe(self, session: Session) -> None:
        """Ask for the test form of the command."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:
        """See that the module is on the network before it is sent there."""
        self.tally.blocks = 0
        for question in self._method.attached:
            self._await_network(session, question)

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Nothing to stream: the module fetches it."""

    def activate(self, session: Session) -> bool:
        """Hand the address over, and follow the download until the update begins.

        Raises:
            SlotLost: the download failed; it may be tried again.
            WriteFailed: the module refused the address, or what it found there.
        """
        self._begun, self._fetched, self.failure = False, -1, None
        if not self._hand_over(session):
            return False
        if not self.follow(session, _LIMIT_S, self._watch.silence_s):
            if self.failure is None:
                return False
            self._handed = False
            failure, self.failure = self.failure, None
            raise SlotLost(f"the module could not fetch the package: {failure}")
        try:
            self.heard(session, _REFUSAL_S)
        except ModuleRebooted:
            return True
        if self.failure is not None:
            raise WriteFailed(f"the module does not accept the package: {self.failure}")
        return True

    def _hand_over(self, session: Session) -> bool:
        """Hand the address over. False if only the module's version can tell what came of it."""
        before, self._handed = self._handed, True
        try:
            return self.start(
                session, self._method.start.format(url=self._url), "the module refused the address"
            )
        except Unanswered:
            return True  # it may fetch all the same: what it tells meanwhile will show
        except WriteFailed:
            if before:
                return False  # it is busy with the address that it was handed before
            self._handed = False
            raise

    def _await_network(self, session: Session, question: Ask) -> None:
        deadline = Deadline(session.clock, _REGISTER_S)
        while True:
            over = deadline.expired
            reply = session.command(question.send)
            if reply.ok and question.find(reply.lines) is not None:
                return
            if over:
                said = " ".join(reply.lines) or str(reply.final)
                raise WriteFailed(
                    f"the module is not on the network: {question.send} says {said!r}",
                    hint="Check SIM and antenna, wait for the registration, and run the command again.",
                )
            session.listen(_LOOK_AGAIN_S)
