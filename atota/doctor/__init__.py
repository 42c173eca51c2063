"""Findings about port, line, module and platform, each with the next thing to do."""
