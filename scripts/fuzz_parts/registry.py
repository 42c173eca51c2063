"""Every target."""

from scripts.fuzz_parts import answers, files, grammar, platform, simulator

TARGETS = (*grammar.TARGETS, *answers.TARGETS, *platform.TARGETS, *files.TARGETS, *simulator.TARGETS)
