"""The personas by name."""

from atota.errors import UsageError
from atota.names import advice
from atota.sim.persona import Persona
from atota.sim.personas.bc28 import BC28
from atota.sim.personas.bc95 import BC95_B8
from atota.sim.personas.m5310a import M5310_A
from atota.sim.personas.me3616 import ME3616
from atota.sim.personas.nrf93m1 import NRF93M1
from atota.sim.personas.others import OTHERS
from atota.sim.personas.quectel import BG95, EC21, EC25, EC200A, EC800M, EG18, EG25
from atota.sim.personas.quectel_url import BC66, BC660K, BG96, BG770A, EC200U
from atota.sim.personas.sara_n2 import SARA_N200
from atota.sim.personas.sara_r4 import SARA_R410
from atota.sim.personas.sara_r5 import LARA_R6, SARA_R510
from atota.sim.personas.sim7000 import SIM7000C, SIM7000C_N, SIM7070
from atota.sim.personas.sim7020 import SIM7020C, SIM7030

PERSONAS: tuple[Persona, ...] = (
    BC28,
    BC95_B8,
    M5310_A,
    SARA_N200,
    SIM7000C,
    SIM7000C_N,
    SIM7070,
    SIM7020C,
    SIM7030,
    ME3616,
    EC21,
    EC25,
    EC800M,
    SARA_R410,
    *OTHERS,
    EG25,
    BG95,
    EG18,
    EC200A,
    BC66,
    BC660K,
    EC200U,
    BG96,
    BG770A,
    NRF93M1,
    SARA_R510,
    LARA_R6,
)


def find_persona(name: str) -> Persona:
    """Return the persona of that name or alias, in any case of letters.

    Raises:
        UsageError: the name is unknown; the known names are listed.
    """
    folded = name.casefold()
    for persona in PERSONAS:
        if folded in (known.casefold() for known in (persona.name, *persona.aliases)):
            return persona
    raise UsageError(
        f"unknown simulated module {name!r}",
        hint=advice(name, (persona.name for persona in PERSONAS), known="Known modules"),
    )
