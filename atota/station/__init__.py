"""The station: one PC, many lanes, one page."""
