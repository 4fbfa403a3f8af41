"""The announcer: BIRD announces a zone's public addresses, as the zone's signed document lists them."""
