"""What can be said of a dialect without hardware: its mistakes, how it plays, what backs it."""
