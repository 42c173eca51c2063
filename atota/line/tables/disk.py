"""The disk that the database lies on, as far as the line's server can see it."""

import shutil

from atota.line.store import Session

LOW = 0.10
"""Below this free part people are alarmed; the stations keep their records anyway."""
_FOLDER = """
SELECT setting FROM pg_settings WHERE name = 'data_directory'
AND (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1')
"""


def free_part(session: Session) -> float | None:
    """Return the free part of the disk, 0 to 1; None: it cannot be known here.

    PostgreSQL names its folder to members of ``pg_read_all_settings`` only, and the folder of another machine
    says nothing about this one's disks.
    """
    row = session.row(_FOLDER)
    if row is None:
        return None
    try:
        usage = shutil.disk_usage(row[0])
    except OSError:
        return None
    return usage.free / usage.total
