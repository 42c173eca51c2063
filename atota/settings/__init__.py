"""Options, environment, board file, user configuration: one job description, with origins."""
