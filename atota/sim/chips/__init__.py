"""Simulated chips: an application processor behind its bootloader, strict as the real one."""
