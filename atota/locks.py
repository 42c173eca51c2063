"""A lock on a file that is the operating system's own: it goes with its owner, however that one ends."""

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def lock(file: IO[bytes]) -> bool:
        """Take the lock on an open file, if nobody has it; at once."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(file: IO[bytes]) -> None:
        """Give the lock back; closing the file does it, too."""
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock(file: IO[bytes]) -> bool:
        """Take the lock on an open file, if nobody has it; at once."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def unlock(file: IO[bytes]) -> None:
        """Give the lock back; closing the file does it, too."""
        fcntl.flock(file, fcntl.LOCK_UN)
