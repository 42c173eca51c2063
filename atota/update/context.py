"""What the parts of one job share."""

from collections.abc import Callable
from dataclasses import dataclass

from atota.clock import StopToken
from atota.errors import LinkLost, Outcome
from atota.journal.store import Journal
from atota.settings.spec import JobSpec
from atota.update.chronicle import Chronicle
from atota.update.outbox import Outgoing
from atota.update.plan import Wanted
from atota.update.platform import Downloader, Platform
from atota.update.result import JobResult
from atota.update.serving import Serve, serve
from atota.update.stages import StageLog
from atota.values import Identity

Approve = Callable[[Identity, Wanted], bool]


@dataclass(frozen=True, slots=True)
class Context:
    """What the parts of one job share.

    ``reconnect`` brings a lost link back, or raises; ``approve`` is asked before anything is downloaded or
    written, if it is given.
    """

    spec: JobSpec
    result: JobResult
    log: StageLog
    chronicle: Chronicle
    stop: StopToken
    reconnect: Callable[[LinkLost], None]
    journal: Journal | None = None
    platform: Platform | None = None
    downloader: Downloader | None = None
    approve: Approve | None = None
    serve: Serve = serve

    def outgoing(self, place: str) -> Outgoing:
        """Where verdicts for the platform at ``place`` go."""
        return Outgoing(self.journal, place, lambda: self.chronicle.id, self.log.warn)

    def end(self, outcome: Outcome) -> None:
        """Set how the job ends."""
        self.result.outcome = outcome
        self.result.exit_code = outcome.exit_code

    def end_updated(self, *, told: bool) -> None:
        """The module was updated; ``told``: the platform knows it."""
        self.end(Outcome.UPDATED if told else Outcome.UPDATED_UNREPORTED)
