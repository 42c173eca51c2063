"""Times on the screen: local, with their offset from UTC. Files and JSON have UTC."""

import datetime as dt


def local_moment(at: float | str, *, seconds: bool = False) -> str:
    """Return a time as the user's clock shows it, such as ``2026-07-01 10:00 +08:00``.

    Args:
        at: seconds since the epoch, or a record's time in ISO 8601.
        seconds: show them, too.
    """
    moment = dt.datetime.fromisoformat(at) if isinstance(at, str) else dt.datetime.fromtimestamp(at, dt.UTC)
    text = moment.astimezone().isoformat(" ", "seconds" if seconds else "minutes")
    return f"{text[:-6]} {text[-6:]}"
