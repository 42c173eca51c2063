"""Simulated modules, written from the manuals with literal bytes. Imports nothing of the host side."""
