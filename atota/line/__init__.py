"""Many stations: protocol, outbox, server on PostgreSQL, manager page."""
