"""Tools for tests, yours and ours: a bench, pytest fixtures, hypothesis strategies, recorded transcripts."""
