"""The specs of the methods, one file each: the fields in a profile, their checks, the facts of the method."""
