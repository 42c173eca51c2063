"""The grammar of AT: bytes in, events out. No clock, no port, no vendor's name."""
