"""A program over the serial transport of nrfutil 6: `nrfutil_judge.py SOURCE PORT INIT_PACKET IMAGE`.

SOURCE is the unpacked source of nrfutil 6.1.7, which does not install on this Python. Its listers of USB
devices and its Bluetooth driver are left out: a pseudo-terminal is neither.
"""

import sys
import types
from pathlib import Path


def stand_in(name: str, **members: object) -> None:
    """Put a module in place of one that the serial transport imports and does not need here."""
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


class NordicSemiException(Exception):
    """An error of nrfutil."""


class Nothing:
    """A lister that lists nothing, and a trigger that triggers nothing."""

    def get_device(self, **_how: object) -> None:
        """Return no device."""


def main(source: str, port: str, init: str, image: str) -> None:
    """Send an init packet and an image."""
    stand_in("pc_ble_driver_py")
    stand_in("pc_ble_driver_py.exceptions", NordicSemiException=NordicSemiException)
    stand_in("nordicsemi", __path__=[str(Path(source) / "nordicsemi")])
    stand_in("nordicsemi.lister")
    stand_in("nordicsemi.lister.device_lister", DeviceLister=Nothing)
    stand_in("nordicsemi.dfu", __path__=[str(Path(source) / "nordicsemi" / "dfu")])
    stand_in("nordicsemi.dfu.dfu_trigger", DFUTrigger=Nothing)
    from nordicsemi.dfu.dfu_transport_serial import DfuTransportSerial  # type: ignore[import-untyped, import-not-found, unused-ignore]

    transport = DfuTransportSerial(port, flow_control=False, timeout=2)
    transport.open()
    transport.send_init_packet(Path(init).read_bytes())
    transport.send_firmware(Path(image).read_bytes())
    transport.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
