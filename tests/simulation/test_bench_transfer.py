"""The figures of `scripts/bench transfer`: the shares of one time cannot be more than the whole of it."""

from pathlib import Path

import pytest

from scripts.bench_parts import transfer


@pytest.mark.parametrize("model", transfer.CASES)
def test_the_shares_of_a_transfer_are_within_its_time(model: str, tmp_path: Path) -> None:
    figures = transfer.measure(model, transfer.CASES[model][0], 4_000, tmp_path)
    assert 0 < figures.wire_s <= figures.took_s
    assert figures.wire_s + figures.waste_s <= figures.took_s * 1.0001


def test_an_echo_that_comes_back_during_the_command_counts_once(tmp_path: Path) -> None:
    # 159 % were shown: the echo was added to the command that it accompanies.
    echoed = transfer.measure("ENS22", 9600, 4_000, tmp_path)
    silent = transfer.measure("EC616", 9600, 4_000, tmp_path)
    assert echoed.wire_s == pytest.approx(silent.wire_s, rel=0.02)
