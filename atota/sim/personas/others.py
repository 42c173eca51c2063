"""The personas outside HiSilicon's and SIMCom's families, together."""

from atota.sim.persona import Persona
from atota.sim.personas.bc26 import BC26
from atota.sim.personas.clones import BC28_CLONE, EC616, XY1100
from atota.sim.personas.cmcc import PLATFORM_DRIVEN
from atota.sim.personas.ens22e import ENS22
from atota.sim.personas.nb86g import NB86_G
from atota.sim.personas.unknown import N20, UNKNOWN_HI2115

OTHERS: tuple[Persona, ...] = (
    NB86_G,
    EC616,
    XY1100,
    BC28_CLONE,
    ENS22,
    UNKNOWN_HI2115,
    N20,
    BC26,
    *PLATFORM_DRIVEN,
)
