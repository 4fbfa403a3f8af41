"""The territories are those of ISO 3166-1."""

from andromede_core.facts.attributes import PARTY, TERRITORY_ALIASES, ZONE
from andromede_core.facts.territories import TERRITORY_CODES


def test_territory_codes_are_those_of_iso_3166() -> None:
    assert len(TERRITORY_CODES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in TERRITORY_CODES)
    assert {"FR", "RE", "NC", "GB", "GR", "AX", "SS"} <= TERRITORY_CODES
    assert TERRITORY_CODES.isdisjoint({"EU", "XK", "AN", *TERRITORY_ALIASES})
    assert set(TERRITORY_ALIASES.values()) <= TERRITORY_CODES


def test_facts_about_territories_accept_only_iso_codes() -> None:
    for attribute in (*PARTY.values(), *ZONE.values()):
        if attribute.is_territory:
            is_list = "subset" in attribute.operators
            assert attribute.accepts(["RE"] if is_list else "RE")
            assert not attribute.accepts(["UK"] if is_list else "UK")
