"""Brings an update to its end that an earlier run started: waits, confirms, tells."""

from collections.abc import Callable

import msgspec

from atota.errors import AtotaError
from atota.fota.base import SlotLost
from atota.fota.registry import method_for
from atota.module.module import Module
from atota.update.context import Context
from atota.update.outbox import Verdict, tell
from atota.update.plan import Wanted
from atota.update.platform import Platform, Status
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


def verdict_of(found: Earlier, status: Status) -> Verdict | None:
    """What the platform is to be told of an earlier run's task; None if there was no task."""
    task = found.task
    if task is None or not task.get("server"):
        return None
    return Verdict(
        place=task["server"],
        dev_id=task["dev_id"],
        type=task["type"],
        target=task["target"],
        md5=task["md5"],
        status=int(status),
        version=task["target"] if status is Status.UPGRADED else None,
    )


def told_now(platform: Platform, verdict: Verdict, warn: Callable[[str], None]) -> bool:
    """Tell the platform. Whether it knows it now."""
    try:
        tell(platform, verdict)
    except AtotaError as error:
        warn(f"the platform was not told: {error.message}")
        return False
    return True
