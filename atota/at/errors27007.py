"""The error numbers of 3GPP 27.007 section 9.2, to read ``+CME ERROR: <text>`` of ``AT+CMEE=2``."""

CME_TEXTS = {
    0: "phone failure",
    1: "no connection to phone",
    2: "phone-adaptor link reserved",
    3: "operation not allowed",
    4: "operation not supported",
    5: "PH-SIM PIN required",
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
    50: "incorrect parameters",
    51: "command implemented but currently disabled",
    52: "command aborted by user",
    100: "unknown",
}


def _letters_and_digits(text: str) -> str:
    return "".join(ch for ch in text.lower() if ch.isalnum())


_BY_TEXT = {_letters_and_digits(text): code for code, text in CME_TEXTS.items()}


def cme_code(text: str) -> int | None:
    """Return the number of a CME error given as digits or as words, however spaced or capitalised."""
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and len(stripped) <= 9:
        return int(stripped)
    return _BY_TEXT.get(_letters_and_digits(stripped))
