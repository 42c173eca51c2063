"""Which code carries out which method of a profile."""

from atota.dialects.model import Dialect, Nfwupd
from atota.errors import Refused
from atota.fota.base import Method
from atota.fota.nfwupd import HexBlocks


def method_for(dialect: Dialect, *, block: int | None = None) -> Method:
    """The method of a dialect.

    Raises:
        Refused: the dialect has none, or it takes no blocks of this length.
    """
    if isinstance(dialect.method, Nfwupd):
        return HexBlocks(dialect, block=block)
    raise Refused(f"there is no known way to push a package into {dialect.title}")
