"""What the platform is asked, from what the module said and the user overrode; what its answer wants."""

from typing import Any

import msgspec

from atota.dialects import loader
from atota.errors import Refused
from atota.fota.base import Method
from atota.module.identify import Findings
from atota.ota.onenet.wire import CheckQuery
from atota.settings.spec import JobSpec
from atota.update.plan import Wanted, base_from_name
from atota.update.platform import Task
from atota.values import Identity, version_problem


def check_query(spec: JobSpec, identity: Identity) -> CheckQuery:
    """The question to the platform, from what the module said and the user overrode.

    Raises:
        Refused: the module's version or codes cannot be sent.
        UsageError: what the user gave cannot be sent.
    """
    version = spec.fw_version or identity.version
    if version is None:
        raise Refused("the module tells no version that could be sent", hint="Give --fw-version.")
    problem = version_problem(version)
    if problem and spec.fw_version is None:
        raise Refused(
            f"the module's version {version!r} cannot be sent: {problem}", hint="Give --fw-version."
        )
    if identity.manuf_code is None or identity.model_code is None:
        raise Refused(
            f"{identity.manufacturer or '?'} {identity.model or '?'} is not in the platform's table",
            hint="Name its row with --model; `atota modules` lists them. A wrong one fails the task.",
        )
    return CheckQuery(
        dev_id=spec.dev_id or "",
        manuf=identity.manuf_code,
        model=identity.model_code,
        version=version,
        type=spec.task_type or "fota",
        signals=identity.signal,
        powers=identity.battery_percent,
        cdn=spec.cdn,
    )


def wanted_of(spec: JobSpec, task: Task | None) -> Wanted:
    """What the module is to become: by the user's own package, else by the platform's task."""
    local = spec.package
    if local is not None:
        named = base_from_name(local.path.name)
        return Wanted(local.target, spec.expect_version or local.target, base=named[0] if named else None)
    assert task is not None
    expected = spec.expect_version or task.target
    return Wanted(task.target, expected, signal=task.signal, power=task.power)


def task_fields(task: Task) -> dict[str, Any]:
    """A task as results and records have it: everything but the token."""
    return {
        "target": task.target,
        "size": task.size,
        "md5": task.md5,
        "kind": task.kind,
        "signal": task.signal,
        "power": task.power,
        "retry": task.retry,
        "interval": task.interval,
    }


def target_fields(identity: Identity, wanted: Wanted) -> dict[str, Any]:
    """What the module ran and is to run, as the journal has it."""
    return {
        "before": identity.version,
        "before_revision": identity.revision,
        "target": wanted.target,
        "expected": wanted.expected,
    }


def dialect_fields(spec: JobSpec, findings: Findings, method: Method) -> dict[str, Any]:
    """How the module is talked to, as the journal has it."""
    dialect = findings.dialect
    return {
        "name": dialect.name,
        "digest": loader.digest(spec.dialect or dialect.name),
        "method": dialect.method.kind if dialect.method is not None else "none",
        "block": method.block,
        "window_s": method.window_s,
        "allowed": msgspec.to_builtins(spec.allowed),
    }
