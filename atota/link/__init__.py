"""Byte pipes to a module, and the ports they are opened on."""
