"""What differs between families of modules, as data: profiles and the catalogue."""
