"""The error numbers of 3GPP 27.007 section 9.2 (version 14.10) and of 27.005 section 3.2.5.

They read ``+CME ERROR: <text>`` of ``AT+CMEE=2``, and put words to the numbers of ``AT+CMEE=1``. From 256 on
the numbers of ``+CME ERROR`` are the vendors' own.
"""

CME_TEXTS = {
    0: "phone failure",
    1: "no connection to phone",
    2: "phone-adaptor link reserved",
    3: "operation not allowed",
    4: "operation not supported",
    5: "PH-SIM PIN required",
    6: "PH-FSIM PIN required",
    7: "PH-FSIM PUK required",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    15: "SIM wrong",
    16: "incorrect password",
    17: "SIM PIN2 required",
    18: "SIM PUK2 required",
    20: "memory full",
    21: "invalid index",
    22: "not found",
    23: "memory failure",
    24: "text string too long",
    25: "invalid characters in text string",
    26: "dial string too long",
    27: "invalid characters in dial string",
    30: "no network service",
    31: "network timeout",
    32: "network not allowed - emergency calls only",
    40: "network personalization PIN required",
    41: "network personalization PUK required",
    42: "network subset personalization PIN required",
    43: "network subset personalization PUK required",
    44: "service provider personalization PIN required",
    45: "service provider personalization PUK required",
    46: "corporate personalization PIN required",
    47: "corporate personalization PUK required",
    48: "hidden key required",
    49: "EAP method not supported",
    50: "incorrect parameters",
    51: "command implemented but currently disabled",
    52: "command aborted by user",
    53: "not attached to network due to MT functionality restrictions",
    54: "modem not allowed - MT restricted to emergency calls only",
    55: "operation not allowed because of MT functionality restrictions",
    56: "fixed dial number only allowed - called number is not a fixed dial number",
    57: "temporarily out of service due to other MT usage",
    58: "language/alphabet not supported",
    59: "unexpected data value",
    60: "system failure",
    61: "data missing",
    62: "call barred",
    63: "message waiting indication subscription failure",
    100: "unknown",
    103: "illegal MS",
    106: "illegal ME",
    107: "GPRS services not allowed",
    108: "GPRS services and non-GPRS services not allowed",
    111: "PLMN not allowed",
    112: "location area not allowed",
    113: "roaming not allowed in this location area",
    114: "GPRS services not allowed in this PLMN",
    115: "no suitable cells in location area",
    122: "congestion",
    125: "not authorized for this CSG",
    126: "insufficient resources",
    127: "missing or unknown APN",
    128: "unknown PDP address or PDP type",
    129: "user authentication failed",
    130: "activation rejected by GGSN, Serving GW or PDN GW",
    131: "activation rejected, unspecified",
    132: "service option not supported",
    133: "requested service option not subscribed",
    134: "service option temporarily out of order",
    140: "feature not supported",
    141: "semantic error in the TFT operation",
    142: "syntactical error in the TFT operation",
    143: "unknown PDP context",
    144: "semantic errors in packet filter(s)",
    145: "syntactical errors in packet filter(s)",
    146: "PDP context without TFT already activated",
    148: "unspecified GPRS error",
    149: "PDP authentication failure",
    150: "invalid mobile class",
    151: "VBS/VGCS not supported by the network",
    152: "no service subscription on SIM",
    153: "no subscription for group ID",
    154: "group Id not activated on SIM",
    155: "no matching notification",
    156: "VBS/VGCS call already present",
    157: "congestion",
    158: "network failure",
    159: "uplink busy",
    160: "no access rights for SIM file",
    161: "no subscription for priority",
    162: "operation not applicable or not possible",
    163: "group Id prefixes not supported",
    164: "group Id prefixes not usable for VBS",
    165: "group Id prefix value invalid",
    171: "last PDN disconnection not allowed",
    172: "semantically incorrect message",
    173: "mandatory information element error",
    174: "information element non-existent or not implemented",
    175: "conditional IE error",
    176: "protocol error, unspecified",
    177: "operator determined barring",
    178: "maximum number of PDP contexts reached",
    179: "requested APN not supported in current RAT and PLMN combination",
    180: "request rejected, Bearer Control Mode violation",
    181: "unsupported QCI value",
    182: "user data transmission via control plane is congested",
}

PERMANENT = frozenset({4, 10, 15, 16, 20, 24, 25, 26, 27, 49, 58, 140})
"""Numbers of ``+CME ERROR`` after which the same command would be refused again."""

CMS_TEXTS = {
    300: "ME failure",
    301: "SMS service of ME reserved",
    302: "operation not allowed",
    303: "operation not supported",
    304: "invalid PDU mode parameter",
    305: "invalid text mode parameter",
    310: "SIM not inserted",
    311: "SIM PIN required",
    312: "PH-SIM PIN required",
    313: "SIM failure",
    314: "SIM busy",
    315: "SIM wrong",
    316: "SIM PUK required",
    317: "SIM PIN2 required",
    318: "SIM PUK2 required",
    320: "memory failure",
    321: "invalid memory index",
    322: "memory full",
    330: "SMSC address unknown",
    331: "no network service",
    332: "network timeout",
    340: "no +CNMA acknowledgement expected",
    500: "unknown error",
}


def _letters_and_digits(text: str) -> str:
    return "".join(ch for ch in text.lower() if ch.isalnum())


# Two numbers of the packet domain are both "congestion": the text means the first.
_BY_TEXT = {_letters_and_digits(text): code for code, text in reversed(CME_TEXTS.items())}


def cme_code(text: str) -> int | None:
    """Return the number of a CME error given as digits or as words, however spaced or capitalised."""
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and len(stripped) <= 9:
        return int(stripped)
    return _BY_TEXT.get(_letters_and_digits(stripped))


def words(kind: str, code: int | None) -> str:
    """Return the words for a number of ``+CME ERROR`` or ``+CMS ERROR`` (``kind``); empty without any."""
    texts = CME_TEXTS if kind == "CME" else CMS_TEXTS if kind == "CMS" else {}
    return texts.get(code, "") if code is not None else ""
