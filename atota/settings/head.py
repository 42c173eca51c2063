"""Conversion between a job's description and the head of a transcript."""

import msgspec

from atota.settings.spec import Allowed, JobSpec, LocalPackage, completed
from atota.transcript.head import Head, HeadOptions, HeadPackage


def head_of(command: str, spec: JobSpec) -> Head:
    """Describe a job for a transcript: only values that are known before the port is open."""
    spec = completed(spec)
    local = spec.package
    values = msgspec.structs.asdict(spec)
    options = {name: values[name] for name in HeadOptions.__struct_fields__ if name != "allowed"}
    allowed = tuple(name for name, is_allowed in msgspec.structs.asdict(spec.allowed).items() if is_allowed)
    return Head(
        command=command,
        package=_package(local) if local is not None else None,
        target=local.target if local is not None else None,
        options=HeadOptions(**options, allowed=allowed),
        board=spec.board.name if spec.board is not None else None,
    )


def spec_of(head: Head, *, port: str, package: LocalPackage) -> JobSpec:
    """Return the description of the same job, on another port and with a package of this machine."""
    options = msgspec.structs.asdict(head.options)
    known = dict.fromkeys(set(options.pop("allowed")) & set(Allowed.__struct_fields__), True)
    return JobSpec(port=port, package=package, allowed=Allowed(**known), **options)


def _package(local: LocalPackage) -> HeadPackage:
    size = local.path.stat().st_size if local.path.is_file() else 0
    return HeadPackage(local.path.name, size, local.md5.lower())
