"""Pure computation: no Django, no network, no clock or randomness of its own."""
