"""Send commands to a module of any vendor, and read its unsolicited lines (URCs).

The dialect `3gpp` knows no vendor. Name another one for its URCs and the texts of its errors:

    python docs/examples/session.py /dev/ttyUSB0 quectel-hi2115
"""

import sys

import atota


def main(port: str = "sim://BC28?fault=urc-storm", dialect: str = "3gpp") -> int:
    with atota.open_session(port, dialect=dialect) as session:
        for command in ("AT+CGMR", "AT+CSQ", "AT+CEREG=2", "AT+CEREG?", "AT+NOTHING"):
            try:
                response = session.command(command, timeout_s=5.0)
            except atota.errors.NoAnswer as error:
                print(f"{command}: {error.message}")
                continue
            # A refusal is a value, not an exception: `ok` is False, `final` has the kind and the code.
            print(f"{command}: {response.final} {list(response.lines)}")
        session.listen(2.0)
        print("unsolicited:", session.take_urcs()[:5])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
