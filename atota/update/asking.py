"""The documents that the journal and the results hold of a task, a target and a dialect."""

from typing import Any

import msgspec

from atota.dialects import loader
from atota.fota.base import Method
from atota.module.identify import Findings
from atota.ota.base import Task
from atota.settings.spec import JobSpec
from atota.update.plan import Wanted, base_from_name
from atota.values import Identity


def wanted_of(spec: JobSpec, task: Task | None) -> Wanted:
    """The target of a job: by the user's own package, else by the platform's task."""
    local = spec.package
    if local is not None:
        named = base_from_name(local.path.name)
        return Wanted(local.target, spec.expect_version or local.target, base=named[0] if named else None)
    assert task is not None
    expected = spec.expect_version or task.target
    return Wanted(task.target, expected, signal=task.signal, power=task.power)


def task_fields(task: Task) -> dict[str, Any]:
    """A task as results and records have it: all fields but the token."""
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


def target_fields(identity: Identity, target: Wanted) -> dict[str, Any]:
    """The versions before and after, as the journal has them."""
    return {
        "before": identity.version,
        "before_revision": identity.revision,
        "target": target.target,
        "expected": target.expected,
    }


def dialect_fields(spec: JobSpec, findings: Findings, method: Method) -> dict[str, Any]:
    """The dialect and its method, as the journal has them."""
    dialect = findings.dialect
    return {
        "name": dialect.name,
        "digest": loader.digest(spec.dialect or dialect.name),
        "method": dialect.method.kind if dialect.method is not None else "none",
        "block": method.block,
        "window_s": method.window_s,
        "allowed": msgspec.to_builtins(spec.allowed),
    }
