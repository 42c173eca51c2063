"""The rules for lanes of chips: which chip it is, and where its unit's number comes from.

A chip beside a module mostly has no number that its application tells. Its unit is known by the label then,
so the label is read before the job begins, and nothing can be compared with it. Such a lane is never asked by
``AT``: an application may take that for a command. So a removal shows where the port goes away with its unit;
on a port that stays, the operator says that the unit is out.
"""

from atota.errors import ConfigError, UsageError
from atota.settings.spec import JobSpec, completed
from atota.sota.profile import described
from atota.station.config import StationConfig


def is_chip(spec: JobSpec) -> bool:
    """True if a lane's job updates a chip."""
    return completed(spec).task_type == "sota"


def require_chip(config: StationConfig, lane: int, spec: JobSpec) -> None:
    """Refuse a lane whose chip is not named, or whose units would have no number.

    Raises:
        ConfigError: the station file or its board says too little.
    """
    if not is_chip(spec):
        return
    spec = completed(spec)
    where = f"{config.path}: lane {lane}"
    try:
        _, chip = described(spec.model, spec.board)
    except UsageError as error:
        hint = "Name it by `model` in [work] or in the lane's board: ESP32, nrf52832, GD32 or other."
        raise ConfigError(f"{where}: {error.message}", hint=hint) from error
    tells_serial = chip.identify != "none" and chip.version is not None and chip.version.tells_serial
    if config.file.scan.serial != "required" and not tells_serial:
        raise ConfigError(
            f'{where}: a chip has no number of its own, and [scan] serial = "{config.file.scan.serial}"',
            hint='Set [scan] serial = "required", or name a group `serial` in the pattern of its version.',
        )
