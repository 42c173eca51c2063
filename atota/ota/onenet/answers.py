"""OneNET's answers: from an HTTP reply to a value, or to an error with a sentence. Knows no HTTP library."""

from collections.abc import Iterator
from itertools import chain
from typing import NoReturn

from atota.errors import BadAnswer, DownloadRefused, PackageError, PlatformRefused
from atota.ota.base import Part, Task
from atota.ota.onenet.errnos import Endpoint, download_problem, meaning
from atota.ota.onenet.wire import Envelope, decode_envelope
from atota.ota.replies import (
    MAX_ANSWER,
    Stream,
    content_length,
    first_words,
    http_error,
    is_text,
    looks_like_html,
    parse_content_range,
    unsatisfied_total,
)
from atota.values import Digests


def read_answer(status: int, body: bytes, endpoint: Endpoint) -> Envelope:
    """Read the envelope of an answer; an errno counts more than the HTTP status it came with.

    Raises:
        ServerError: the status is an error without an errno; `BadAnswer` without an envelope.
    """
    if 200 <= status < 300:
        return decode_envelope(body)
    try:
        envelope = decode_envelope(body)
    except BadAnswer:
        envelope = None
    if envelope is not None and envelope.errno != 0:
        return envelope
    raise http_error(status, body, endpoint.value)


def refuse(envelope: Envelope, endpoint: Endpoint, *, extra_hint: str = "") -> NoReturn:
    """Raise the meaning of an errno.

    Raises:
        PlatformRefused: always.
    """
    known = meaning(envelope.errno, endpoint)
    words = " ".join((envelope.error or "").split())
    words = f", {words[:80]!r}" if words and words.isprintable() else ""
    raise PlatformRefused(
        f"the platform refused the {endpoint.value}: {known.sentence} (errno {envelope.errno}{words})",
        result=known.result,
        errno=envelope.errno,
        hint=f"{known.hint} {extra_hint}".strip(),
    )


def refuse_text(head: bytes) -> None:
    """Raise if a download is plainly not a package: a web page, or the platform's own JSON.

    Raises:
        BadAnswer: it is a web page.
        PlatformRefused: it is an envelope with an errno.
    """
    if looks_like_html(head):
        raise BadAnswer(f"a web page came instead of the package: {first_words(head)}")
    if not head.lstrip().startswith(b'{"'):
        return
    try:
        envelope = decode_envelope(head[:MAX_ANSWER])
    except BadAnswer:
        return
    if envelope.errno != 0:
        refuse(envelope, Endpoint.DOWNLOAD)


def part_of(stream: Stream, task: Task, first: int) -> Part:
    """Read the head of a download from byte ``first`` of a task's package.

    Raises:
        ServerError: it is not a package.
        PackageError: the server refuses the range, and names another size than the task.
    """
    if stream.status == 416:  # the platform documents clamping instead; a proxy may not
        total = unsatisfied_total(stream.headers.get("Content-Range"))
        if total not in (None, task.size):
            raise PackageError(f"the task names {task.size} bytes, the server's file has {total}")
        return Part(partial=True, content_range=None, length=0, chunks=iter(()))
    if stream.status not in (200, 206):
        raise http_error(stream.status, stream.read(), Endpoint.DOWNLOAD.value)
    length = content_length(stream.headers.get("Content-Length"))
    chunks = stream.chunks
    suspicious = length not in (task.size, task.size - first)
    if suspicious and is_text(stream.headers.get("Content-Type")):
        head = next(chunks, b"")
        refuse_text(head)
        chunks = chain([head], chunks)
    content_range = parse_content_range(stream.headers.get("Content-Range"))
    return Part(partial=stream.status == 206, content_range=content_range, length=length, chunks=chunks)


def without_error_byte(part: Part, task: Task) -> Iterator[bytes]:
    """Yield the body of a download, its first byte only with the second: alone it may be an error's number.

    Raises:
        DownloadRefused: the whole body is the number of an error (`errnos.DownloadProblem`).
    """
    head = b""
    for chunk in part.chunks:
        head += chunk
        if len(head) > 1:
            yield head
            break
    else:
        _refuse_byte(head, part, task)
        if head:
            yield head
        return
    yield from part.chunks


def _refuse_byte(body: bytes, part: Part, task: Task) -> None:
    """Judge a body of one byte: an error's number, a package of one byte, or a cut.

    Raises:
        DownloadRefused: it is an error's number.
    """
    problem = download_problem(body[0]) if body else None
    is_package = part.content_range is not None and part.partial
    if task.size == 1:
        is_package = part.length == 1 or Digests.of(body).md5 == task.md5
    if problem is not None and not is_package:
        raise DownloadRefused(
            f"the platform refused the download: {problem.sentence} (download error {problem.value})",
            result=problem.result,
            errno=problem.value,
        )
