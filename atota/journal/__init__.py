"""The append-only journal of jobs, the records that prove what happened, and the reports still to be sent."""
