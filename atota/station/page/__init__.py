"""The operator page: one HTML document, plain ES modules, and a stream of events."""
