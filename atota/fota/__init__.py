"""The methods of filling a module's FOTA slot, one file each. No vendor's name."""
