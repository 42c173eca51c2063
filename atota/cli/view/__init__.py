"""The output of commands: results as JSON Lines, pages for people, progress, a question."""
