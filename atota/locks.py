"""The operating system's lock on a file: it ends with the process that holds it, however that ends."""

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def lock(file: IO[bytes]) -> bool:
        """Take the lock on an open file, without waiting. Return False if it is held elsewhere."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(file: IO[bytes]) -> None:
        """Release the lock; closing the file does it, too."""
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock(file: IO[bytes]) -> bool:
        """Take the lock on an open file, without waiting. Return False if it is held elsewhere."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def unlock(file: IO[bytes]) -> None:
        """Release the lock; closing the file does it, too."""
        fcntl.flock(file, fcntl.LOCK_UN)
