"""The review of a dialect without hardware: its mistakes, its rehearsal, its backing by traces."""
