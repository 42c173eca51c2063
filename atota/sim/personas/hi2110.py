"""The base of the modules on HiSilicon's Hi2110."""

from collections.abc import Mapping

from atota.sim.boot import Boot, Step
from atota.sim.persona import Restart

# No "Boot:" and no "Verified" lines on this chip; a few bytes of noise at the start (BC95 transcripts).
BOOT_LINES = (Step(0.3, b"{noise}"), Step(1.6, b""))
UPDATE_CAUSE = b"REBOOT_CAUSE_SECURITY_REGIONS_UPDATED"  # the BC95 V2.1 list of causes has no FOTA entry

NCONFIG: Mapping[bytes, bytes] = {
    b"AUTOCONNECT": b"TRUE",
    b"CR_0354_0338_SCRAMBLING": b"TRUE",
    b"CR_0859_SI_AVOID": b"TRUE",
}
RESTARTS: Mapping[bytes, Restart] = {b"+NRB": Restart((b"REBOOTING",), bare=True)}
"""The OK belongs to the boot banner."""


def boot(greeting: bytes, *, clears_nvm: bool = False) -> Boot:
    """Return the start and the update of a module that ends its banner with ``greeting``.

    UBX-16014887: an update "generally takes two minutes".
    """
    return Boot(
        steps=BOOT_LINES,
        update=(*BOOT_LINES, Step(116.0, b""), *BOOT_LINES),
        ending=b"\r\n{cause}\r\n" + greeting,
        update_cause=UPDATE_CAUSE,
        update_clears_nvm=clears_nvm,
    )
