"""Brings an update to its end that an earlier run started: waits, confirms, tells."""

import msgspec

from atota.fota.base import SlotLost
from atota.fota.registry import method_for
from atota.module.module import Module
from atota.ota.base import Status
from atota.update.context import Context
from atota.update.plan import Wanted
from atota.update.report import Report
from atota.update.resume import Earlier
from atota.update.starting import Starter
from atota.values import Identity


def confirmed(context: Context, module: Module, identity: Identity, found: Earlier) -> str | None:
    """The version that the started update brought; None if it brought none, or there was no start.

    A module that still runs its old version may be about to reboot: it is given the usual time.

    Raises:
        OldVersion: it surely had been started, and the module runs what it ran.
        RebootTimeout: it went down and did not come back.
    """
    runs = {identity.version, identity.revision} - {None}
    assert module.findings is not None
    dialect = module.findings.dialect
    if found.expected in runs:
        return found.expected
    if not runs & set(found.before) or dialect.method is None:
        return None
    first, second = (*found.before, None, None)[:2]
    before = msgspec.structs.replace(identity, version=first, revision=second)
    wanted = Wanted(found.target, found.expected)
    starter = Starter(context, module, method_for(dialect), before, wanted)
    try:
        return starter.survive(certain=found.certain)
    except SlotLost:
        return None


def report_of(found: Earlier, status: Status) -> Report | None:
    """The report of an earlier run's task; None if it had no task."""
    task = found.task
    if task is None or not task.get("server"):
        return None
    return Report(
        server=task["server"],
        device=task["dev_id"],
        type=task["type"],
        target=task["target"],
        md5=task["md5"],
        status=int(status),
        version=task["target"] if status is Status.UPGRADED else None,
    )
