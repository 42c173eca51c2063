"""Identify the module on a port: its rate, model, version and IMEI, and the row of the platform's table.

Run it with the name of a port, or without one for a simulated module:

    python docs/examples/identify.py /dev/ttyUSB0
"""

import sys

import atota


def main(port: str = "sim://BC28") -> int:
    try:
        identity = atota.identify_module(port, timeout_s=120)
    except atota.errors.AtotaError as error:
        print(f"{error.code}: {error.message}\n{error.hint}", file=sys.stderr)
        return error.exit_code
    print(f"{identity.manufacturer} {identity.model} runs {identity.version} at {identity.baud} baud")
    print(f"IMEI {identity.imei}, dialect {identity.dialect}, method {identity.method}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
