"""The lane keys of Windows and macOS, on the lists that pyserial makes there."""

from serial.tools.list_ports_common import ListPortInfo

from atota.clock import SimulatedClock, StopToken
from atota.station.learn import appearing, are_one_adapter
from atota.station.port_table import PortTable, keys_of


def port(
    device: str, location: str | None = None, serial: str | None = None, vid: int | None = 0x10C4
) -> ListPortInfo:
    info = ListPortInfo(device, skip_link_detection=True)
    info.vid, info.pid = vid, None if vid is None else 0xEA60
    info.serial_number, info.location = serial, location
    return info


def keys(*ports: ListPortInfo) -> dict[str, str]:
    return {port.device: key for key, port in keys_of(ports)}


def test_a_location_is_the_key_without_the_ending_that_windows_carries_over() -> None:
    found = keys(port("COM3", "1-4.1:x.0"), port("COM4", "1-4.2:x.0"), port("COM17", "1-4.3"))
    assert found == {"COM3": "1-4.1", "COM4": "1-4.2", "COM17": "1-4.3"}


def test_the_ports_of_one_adapter_are_counted_by_interface_on_windows() -> None:
    assert keys(port("COM9", "1-2:x.0"), port("COM10", "1-2:x.2"), port("COM3", "1-2:x.1")) == {
        "COM9": "1-2#0",
        "COM3": "1-2#1",
        "COM10": "1-2#2",
    }


def test_the_ports_of_one_adapter_are_counted_by_name_on_macos() -> None:
    names = [f"/dev/cu.usbserial-FT4AB{port}" for port in (10, 2, 0)]
    assert keys(*(port(name, "20-4.2") for name in names)) == {
        names[2]: "20-4.2#0",
        names[1]: "20-4.2#1",
        names[0]: "20-4.2#2",
    }


def test_adapters_of_two_controllers_with_one_location_are_not_guessed_between() -> None:
    table = PortTable(SimulatedClock(), lambda: [port("COM3", "1-4"), port("COM4", "1-4")])
    table.scan()
    assert table.find("1-4") is None
    assert table.names_at("1-4") == ["COM3", "COM4"]


def test_an_adapter_with_the_driver_of_ftdi_is_known_by_its_serial_number() -> None:
    found = keys(port("COM5", None, "A5XK3RJTA", 0x0403), port("COM6", None, "A5XK3RJTB", 0x0403))
    assert found == {"COM5": "serial:A5XK3RJTA", "COM6": "serial:A5XK3RJTB"}


def test_a_port_of_the_machine_has_no_key_but_its_name() -> None:
    table = PortTable(SimulatedClock(), lambda: [port("COM1", vid=None)])
    table.scan()
    assert table.tokens() == {}
    seen = table.find_device("COM1")
    assert seen is not None
    assert seen[1] == "COM1"
    assert table.find_device("COM2") is None


def test_the_only_port_of_an_adapter_is_its_first_one() -> None:
    table = PortTable(SimulatedClock(), lambda: [port("/dev/cu.a", "20-1")])
    table.scan()
    assert table.find("20-1#0") == table.find("20-1") is not None


def test_a_system_that_changes_its_list_keeps_the_last_one() -> None:
    clock = SimulatedClock()
    lists = [[port("COM3", "1-4")], None, [port("COM8", "1-4")]]

    def list_() -> list[ListPortInfo]:
        ports = lists.pop(0)
        if ports is None:
            raise OSError("in between")
        return ports

    table = PortTable(clock, list_)
    for device in ("COM3", "COM3", "COM8"):
        table.scan()
        if table._thread is not None:
            table._thread.join()
        assert table.devices() == {"1-4": device}
        clock.sleep(1.0)


def test_a_lane_is_learned_there_as_on_linux() -> None:
    clock = SimulatedClock()
    plugged: list[ListPortInfo] = [port("COM3", "1-1")]
    table = PortTable(clock, lambda: list(plugged))
    appeared = appearing(table, clock, StopToken())
    table.scan()
    plugged += [port("COM4", "1-2:x.0"), port("COM5", "1-2:x.1")]
    places = next(appeared)
    assert places == ["1-2#0", "1-2#1"]
    assert are_one_adapter(places)
