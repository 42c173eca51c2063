"""What the modules on HiSilicon's Hi2110 share."""

from atota.sim.boot import Step

# No "Boot:" and no "Verified" lines on this chip; a few bytes of noise at the start (BC95 transcripts).
BOOT_LINES = (Step(0.3, b"{noise}"), Step(1.6, b""))
UPDATE_CAUSE = b"REBOOT_CAUSE_SECURITY_REGIONS_UPDATED"  # the BC95 V2.1 list of causes has no FOTA entry
