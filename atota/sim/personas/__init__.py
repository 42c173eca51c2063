"""The literal behaviour of each simulated module."""
