"""The module is handed an address, fetches the package itself and updates.

The package is verified on this machine first, so that the module never fetches a wrong one.
The address is the platform's own, or one that this machine serves. It is a secret for as long as the
download token in it lives, so no error repeats it.

Once the address is handed over nothing can be undone: the download runs into the update by itself. So
`prepare` only sees that the module is on the network, and `activate` does the rest.
"""

from pathlib import Path
from urllib.parse import urlsplit

from atota.clock import Deadline
from atota.dialects.common import Ask
from atota.dialects.methods.url_pull import UrlPullSpec
from atota.dialects.model import Dialect
from atota.errors import ModuleRebooted, PackageTurnedDown, Refused, SlotLost, WriteFailed
from atota.fota.base import Options, Progress
from atota.fota.streamed import Streamed, Unanswered
from atota.module.session import Session

_LIMIT_S = 1800.0
"""A download over NB-IoT takes long: 580 KiB at 20 kbit/s is four minutes, with repetitions far more."""
_REGISTER_S = 60.0
"""A module that was just started registers within a minute where there is coverage."""
_LOOK_AGAIN_S = 3.0
_REFUSAL_S = 5.0
"""A module reports that it refuses the package right after it reported the begin of the update."""


class UrlPull(Streamed):
    """The method for one module."""

    spec: UrlPullSpec

    def __init__(self, dialect: Dialect, spec: UrlPullSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self._url = ""
        self._has_url = False  # the module

    @property
    def holds_package(self) -> bool:
        """True: the module fetched what was verified here, over a protocol that loses nothing."""
        return True

    def set_url(self, url: str) -> None:
        """Set the address from which the module is to fetch the package."""
        self._url = url

    def check(self, package: Path) -> None:
        """Refuse an address that the module cannot use."""
        self.size_of(package)
        if not self._url:
            raise Refused(
                "this module fetches packages itself, and it has been given no address",
                hint="Give --serve-url http://HOST:PORT: an address here that the module can reach.",
            )
        scheme = urlsplit(self._url).scheme
        if scheme not in self.spec.schemes:
            raise Refused(
                f"this module cannot fetch over {scheme}: only {', '.join(self.spec.schemes)}",
                hint="Give --serve-url http://HOST:PORT, or a platform address that begins with http://.",
            )
        if len(self._url) > self.spec.longest_url or not self._url.isascii() or '"' in self._url:
            raise Refused(
                f"the module takes addresses of up to {self.spec.longest_url} plain characters; "
                f"this one has {len(self._url)}",
                hint="Give --serve-url http://HOST:PORT: an address here is short.",
            )

    def probe(self, session: Session) -> None:
        """Ask for the test form of the command."""
        self.require_test_form(session, self.spec.test)

    def prepare(self, session: Session) -> None:
        """See that the module is on the network before it is sent there."""
        super().prepare(session)
        for question in self.spec.attached:
            self._await_network(session, question)

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Send nothing: the module fetches the package."""

    def activate(self, session: Session) -> bool:
        """Hand the address over, and follow the download until the update begins.

        Raises:
            SlotLost: the download failed; it may be tried again.
            PackageTurnedDown: the module refused the package.
            WriteFailed: it refused the address.
        """
        self.forget_reports()
        if not self._hand_over(session):
            return False
        if not self.follow(session, _LIMIT_S, self.spec.watch.silence_s):
            if self.failure is None:
                return False
            self._has_url = False
            kind = WriteFailed if self.is_final_failure else SlotLost
            raise kind(
                f"the module could not fetch the package: {self.take_failure()}",
                hint="Check the address, the server and the module's network; it runs its old firmware.",
            )
        try:
            self.read_lines(session, _REFUSAL_S)
        except ModuleRebooted:
            return True
        if self.failure is not None:
            raise PackageTurnedDown(f"the module does not accept the package: {self.failure}")
        return True

    def _hand_over(self, session: Session) -> bool:
        """Hand the address over. Return False if only the module's version can tell the outcome."""
        had_url, self._has_url = self._has_url, True
        try:
            return self.start(
                session, self.spec.start.format(url=self._url), "the module refused the address"
            )
        except Unanswered:
            return True  # it may fetch all the same: its next lines will show
        except WriteFailed:
            if had_url:
                return False  # it is busy with the address that it was handed before
            self._has_url = False
            raise

    def _await_network(self, session: Session, question: Ask) -> None:
        deadline = Deadline(session.clock, _REGISTER_S)
        while True:
            is_over = deadline.expired
            response = session.command(question.send)
            if response.ok and question.find(response.lines) is not None:
                return
            if is_over:
                answer = " ".join(response.lines) or self.final_words(response)
                raise WriteFailed(
                    f"the module is not on the network: {question.send} answers {answer!r}",
                    hint="Check SIM and antenna, wait for the registration, and run the command again.",
                )
            session.listen(_LOOK_AGAIN_S)
