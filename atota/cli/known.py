"""The journal's knowledge of the module on a port, for commands that run no job: it may be in mid-update."""

from atota.cli.call import Call
from atota.cli.view.record import duration
from atota.cli.wiring import journal_path
from atota.clock import SystemClock
from atota.errors import AtotaError
from atota.journal.facts import StateFact
from atota.journal.model import PastJob
from atota.journal.store import Journal
from atota.update.job_journal import prior_run
from atota.update.state import MEANINGS, AfterCrash


def known_of(call: Call, *, imei: str | None = None) -> str | None:
    """Return what the newest job on the port, or of the module ``imei``, has left open; None if nothing."""
    try:
        journal = Journal.reading(journal_path(call), clock=SystemClock())
        if journal is None:
            return None
        with journal:
            past = journal.past(port=call.port) if imei is None else journal.past(imei=imei)
            return None if past is None else _in_words(past)
    except AtotaError as error:  # a journal that cannot be read says nothing of the module
        return f"the journal cannot be asked: {error.message}"


def _in_words(past: PastJob) -> str | None:
    if past.is_alive:
        return f"job {past.id} has worked on it for {_ago(past.opened_at)}, on {past.opened.port}"
    prior = prior_run(past)
    if prior is None:
        return None
    duty = MEANINGS[prior.state].after_crash
    if duty is AfterCrash.CONFIRM:
        verb = "started" if prior.is_certain else "may have started"
        return (
            f"job {past.id} {verb} an update here {_ago(_began(past))} ago and did not see its end: leave "
            f"the module powered, and run the same {prior.command} again, which confirms it"
        )
    if duty is AfterCrash.WRITE_AGAIN:
        return (
            f"job {past.id} was cut off {_ago(past.last_seen)} ago while it filled the slot: nothing was "
            f"started, and the same {prior.command}, run again, goes on"
        )
    return None


def _began(past: PastJob) -> float:
    """Return the time of the first state in which the update may have begun."""
    times = (
        row.at
        for row in past.facts
        if isinstance(row.fact, StateFact) and MEANINGS[row.fact.state].after_crash is AfterCrash.CONFIRM
    )
    return next(times, past.last_seen)


def _ago(at: float) -> str:
    return duration(round(1000 * max(0.0, SystemClock().time() - at)))
