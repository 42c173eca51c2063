"""What holds for every test: no example of a property has a time limit, for machines differ."""

from hypothesis import settings

settings.register_profile("atota", deadline=None)
settings.load_profile("atota")
