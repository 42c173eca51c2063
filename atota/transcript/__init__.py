"""Transcripts of a link's bytes: writing, masking, reading, playing back."""
