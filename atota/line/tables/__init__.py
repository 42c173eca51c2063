"""The SQL of the line: migrations, and the functions that read and write its tables."""
