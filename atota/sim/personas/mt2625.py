"""The base of the modules on MediaTek's MT2625: its boot ROM and the banner of its base software."""

from atota.sim.boot import Step

# LF before CR, at 115200 for any stored rate (logs of BC66, BC26 and SIM7020 in public code).
ROM = Step(
    0.3,
    b"\n\rF1: 0000 0000\n\rV0: 0000 0000 [0001]\n\r00: 0006 000C\n\r01: 0000 0000\n\rU0: 0000 0001 [0000]"
    b"\n\rT0: 0000 00B4\n\rLeaving the BROM\n\r\n\r",
    115200,
)
BANNER = b"\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n"
CPIN = Step(1.5, b"\r\n+CPIN: READY\r\n")
