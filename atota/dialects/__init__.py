"""The differences between families of modules, as data: profiles, method specs and the catalogue."""
