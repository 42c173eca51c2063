"""The parts of a job for tests of one of its steps: no journal, no platform."""

from contextlib import nullcontext

from atota.clock import SimulatedClock, StopToken
from atota.journal.model import Opened
from atota.settings.spec import JobSpec
from atota.update.context import JobContext, ProgressReporter
from atota.update.events import JobResult
from atota.update.job_journal import JobJournal
from atota.update.report import Outbox
from atota.update.state import JobMachine


def job_context(spec: JobSpec) -> JobContext:
    """The context of a job without a journal or a platform."""
    result, stop = JobResult(), StopToken()
    progress = ProgressReporter(lambda _: None, result)
    opened = Opened(run="r", attempt=1, command="flash", port=spec.port)
    entry = JobJournal(None, opened, clock=SimulatedClock(), may_fail=lambda: False, warn=progress.warn)
    return JobContext(
        spec=spec,
        result=result,
        progress=progress,
        entry=entry,
        machine=JobMachine(entry.state, stop),
        outbox=Outbox(None, str, progress.warn),
        stop=stop,
        journal=None,
        platform=None,
        downloader=None,
        approve=None,
        serve=lambda _path, url: nullcontext(url),
    )
