"""Firmware over AT commands: from the firmware a module has to the one the OTA platform wants."""

__version__ = "0.1.0"
