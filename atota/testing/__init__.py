"""What users' own tests need: hypothesis strategies of AT conversations, simulated modules."""
