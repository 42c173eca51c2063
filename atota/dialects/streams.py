"""The methods that push raw bytes or hand over an address, as profiles describe them.

What all of them have in common: commands with placeholders in braces, what the module says when it
wants the bytes, and how the update tells of itself once it was started (`Watch`).
"""

from typing import Literal

import msgspec

from atota.dialects.parts import Ask, Profiled, Watch, Way


class FileAppend(Way, frozen=True, kw_only=True, tag_field="kind", tag="file-append"):
    """A file in the module's own file system, written in pieces, each behind a line that asks for it.

    ``write`` takes ``{mode}`` (0 anew, 1 append), ``{length}`` and ``{window_ms}``: the time in which
    all bytes of the piece must arrive, so the piece is cut to what the rate can carry in it. ``read``
    takes ``{offset}`` and ``{length}``; ``read_header`` has one group, the count of raw bytes that follow.
    """

    test: str
    begin: str
    end: str
    free: Ask
    write: str
    ready: str
    piece: int
    window_ms: int
    size: Ask
    read: str | None = None
    read_header: str | None = None
    delete: str | None = None
    start: str
    clear: str | None = None
    outcome: Ask
    good_outcomes: tuple[str, ...]
    outcome_words: dict[str, str] = msgspec.field(default_factory=dict)
    watch: Watch
    source: str


class FlashWrite(Way, frozen=True, kw_only=True, tag_field="kind", tag="flash-write"):
    """Raw flash: erase ``{blocks}``, write pieces at ``{offset}`` behind a prompt, start with length and MD5.

    ``erase_block`` and ``most_blocks`` bound the slot; ``window_s`` is what the module waits for a piece.
    """

    erase: str
    erase_block: int
    most_blocks: int
    erase_s: float
    write: str
    prompt: str
    piece: int
    window_s: int
    start: str
    watch: Watch
    source: str


class RawStream(Way, frozen=True, kw_only=True, tag_field="kind", tag="raw-stream"):
    """The whole package in one go, behind a prompt and a line; started by a restart.

    ``open`` takes ``{size}``. Not one byte may go out before ``prompt`` and then ``ready`` were seen.
    ``window_s``: how long the module waits for a byte.
    """

    test: str
    open: str
    prompt: str
    ready: str
    ready_s: float
    window_s: float
    start: str
    watch: Watch
    source: str


class AckUpload(Way, frozen=True, kw_only=True, tag_field="kind", tag="ack-upload"):
    """A file upload that the module acknowledges every so many bytes, then a start from that file.

    ``done`` has two groups, size and checksum: XOR of big-endian 16-bit words in hex, an odd last byte
    being the high half. ``window_s``: how long the module waits for a byte.
    """

    test: str
    delete: str
    open: str
    ready: str
    window_s: float
    ack: str
    ack_every: int
    done: str
    start: str
    watch: Watch
    source: str


class PushedStream(Way, frozen=True, kw_only=True, tag_field="kind", tag="pushed-stream"):
    """Announce ``{size}`` bytes, wait for a line, push small paced pieces; the update follows by itself.

    ``window_s``: how long the module waits for a byte before it gives up.
    """

    test: str
    open: str
    ready: str
    ended: str
    window_s: float
    piece: int
    pause_s: float
    watch: Watch
    source: str


class UrlPull(Way, frozen=True, kw_only=True, tag_field="kind", tag="url-pull"):
    """The module fetches the package itself from a ``{url}`` that it is given, then updates.

    ``attached`` must find its pattern before the address is handed over.
    """

    test: str
    start: str
    longest_url: int
    schemes: tuple[Literal["http", "https"], ...]
    attached: tuple[Ask, ...]
    watch: Watch
    source: str


class Watched(Way, frozen=True, kw_only=True, tag_field="kind", tag="watched"):
    """No host command exists: the platform pushes over LwM2M while the module is logged in; we watch.

    ``log_in`` is sent in order; each step ends when its line has come (``until``), if it has one. If a step
    is refused, ``log_out`` removes what an earlier login left, and all is sent once more. ``stages`` tells
    people what a line means: its event's number and the words.
    """

    class Step(Profiled, frozen=True, kw_only=True):
        """One command of the login; ``until`` is the line that completes it."""

        send: str
        until: str | None = None
        timeout_s: float = 60.0

    log_in: tuple[Step, ...] = ()
    log_out: tuple[str, ...] = ()
    event: str | None = None
    stages: dict[str, str] = msgspec.field(default_factory=dict)
    watch: Watch
    source: str


class XmodemUpload(Way, frozen=True, kw_only=True, tag_field="kind", tag="xmodem"):
    """XMODEM after a command that opens the transfer; another one installs what was received.

    ``window_s``: how long the module asks for the first packet before it gives up.
    """

    open: str
    ready: str
    block: Literal[128, 1024]
    retries: int
    window_s: float
    start: str
    watch: Watch
    source: str
