"""One job, start to end: plan, stages, report."""
