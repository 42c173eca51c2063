"""Transcripts of a link's bytes: written, masked, read, played back."""
