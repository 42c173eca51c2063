"""Which code carries out which method of a profile."""

from atota.dialects.model import Dialect
from atota.dialects.streams import (
    AckUpload,
    FileAppend,
    FlashWrite,
    PushedStream,
    RawStream,
    UrlPull,
    Watched,
    XmodemUpload,
)
from atota.errors import Refused
from atota.fota.ack_upload import AcknowledgedUpload
from atota.fota.base import Method
from atota.fota.file_append import AppendedFile
from atota.fota.flash_write import WrittenFlash
from atota.fota.nfwupd import HexBlocks
from atota.fota.pushed_stream import PacedPush
from atota.fota.raw_stream import Stream
from atota.fota.url_pull import HandedUrl
from atota.fota.watched import PlatformDriven


def method_for(dialect: Dialect, *, block: int | None = None, read_back: bool = False) -> Method:
    """The method of a dialect.

    Args:
        dialect: the profile.
        block: bytes a block or piece, if not the profile's own.
        read_back: compare what was written with the package, where the module can be asked for it.

    Raises:
        Refused: the dialect has none, or it takes no blocks of this length.
    """
    match dialect.method:
        case None:
            raise Refused(f"there is no known way to push a package into {dialect.title}")
        case FileAppend():
            return AppendedFile(dialect, piece=block, read_back=read_back)
        case FlashWrite():
            return WrittenFlash(dialect, piece=block)
        case RawStream():
            return Stream(dialect)
        case AckUpload():
            return AcknowledgedUpload(dialect)
        case PushedStream():
            return PacedPush(dialect)
        case UrlPull():
            return HandedUrl(dialect)
        case Watched():
            return PlatformDriven(dialect)
        case XmodemUpload():
            from atota.fota.xmodem_upload import XmodemFile  # loads its package only where it is used

            return XmodemFile(dialect)
        case _:
            return HexBlocks(dialect, block=block)
