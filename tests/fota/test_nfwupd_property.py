"""Whatever goes wrong on the way: a write and a validation that succeed leave the package in the slot."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import AtotaError
from atota.fota.target import ModuleTarget
from atota.module.module import Module
from atota.module.reconnect import UsbAdapters
from atota.settings.spec import JobSpec
from atota.sim.link import open_sim_link
from atota.sim.package import build_package
from atota.update.state import JobState
from atota.update.write import Writer
from atota.values import Digests
from tests.update.parts import job_context

MODELS = {
    "BC28": ("BC28JAR01A03", "BC28JAR01A05"),
    "M5310-A": ("M5310-A-MONH0S00", "M5310-A-MONH0S01"),
    "BC95-B8": ("V100R100C10B657SP5", "V100R100C10B657SP6"),
    "SARA-N200": ("V100R100C10B657SP2", "V100R100C10B657SP3"),
}
POSITION = st.integers(0, 7).map(str) | st.sampled_from(["erase", "validate", "c9", "c11", "c12"])
FAULT = st.one_of(
    st.builds("lose-reply:{}:{}".format, POSITION, st.integers(1, 3)),
    st.builds("late-reply:{}:{}".format, POSITION, st.sampled_from(["3", "11", "14", "31", "70"])),
    st.builds("refuse-block:{}:{}".format, POSITION, st.integers(1, 4)),
    st.builds("busy:{}:{}".format, POSITION, st.integers(1, 4)),
    st.builds("reboot-at-block:{}".format, POSITION),
    st.builds("brownout-at-block:{}".format, POSITION),
    st.builds("drop-byte:{}".format, st.integers(150, 3000)),
    st.builds("flip-byte:{}".format, st.integers(150, 3000)),
    st.builds("double-byte:{}".format, st.integers(150, 3000)),
    st.sampled_from(["echo", "urc-inside-reply", "urc-storm:0.5", "boot-garbage"]),
)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    faults=st.lists(FAULT, max_size=4),
    baud=st.sampled_from([0, None]),
    stored=st.sampled_from([9600, 115200]),
)
def test_what_is_called_written_is_written(
    model: str, faults: list[str], baud: int | None, stored: int
) -> None:
    base, target = MODELS[model]
    package = build_package(model=model, base=base, target=target, size=2048)
    link = open_sim_link(f"sim://{model}?baud={stored}&fault={'+'.join(faults)}", clock=SimulatedClock())
    with TemporaryDirectory() as folder, Module(link) as module:
        path = Path(folder) / "p.bin"
        path.write_bytes(package)
        spec = JobSpec(port=link.name, transfer_baud=baud)
        context = job_context(spec)
        failure: AtotaError | None = None
        try:
            subject = ModuleTarget(module, spec, UsbAdapters(), note=lambda _: None, warn=lambda _: None)
            subject.identify()
            subject.choose()
            Writer(context, subject, path, Digests.of(package), retries=2, undo=(), written=0).fill()
        except AtotaError as error:
            failure = error
        if failure is not None:
            assert failure.message
            assert failure.hint
            assert context.machine.may_undo
            return
        assert context.machine.state is JobState.WRITTEN
        assert link.module.slot == package
        assert not link.module.flash.spoiled
        assert not link.module.starts
