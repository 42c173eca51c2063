"""The local OTA platform: a pure service and a thin ASGI app."""
