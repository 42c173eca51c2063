"""The ways of updating that simulated modules have."""
