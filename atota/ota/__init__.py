"""The OTA platform: signing, wire types, client, package download and cache."""
