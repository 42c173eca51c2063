"""Flashers: chips behind their own bootloaders, and other people's tools run as programs."""
