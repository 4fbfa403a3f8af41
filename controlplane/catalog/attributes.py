"""The attributes of zones and parties, and what values each has. A fact about anything else is refused at import.

Names are dotted and lower-case. Countries are ISO 3166-1 alpha-2 territories, so Réunion is RE. Shares are decimals
with two places, written as text, since a binary fraction would round them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controlplane.catalog.reading import instant

TERRITORY = re.compile(r"[A-Z]{2}")
SHARE = re.compile(r"(100\.00|[0-9]{1,2}\.[0-9]{2})")
STATUTE = re.compile(r"[A-Z]{2}:[A-Z0-9_.]{1,60}")


@dataclass(frozen=True)
class Kind:
    """`wants` ends the sentence "must be …"."""

    wants: str
    accepts: Callable[[object], bool]


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _set_of(accepts: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(accepts, value)) and len(set(value)) == len(value)


def _number(lowest: int, highest: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and lowest <= value <= highest


def _level(highest: int) -> Kind:
    accepts = _number(0, highest)
    return Kind(f"a whole number from 0 to {highest}", lambda value: isinstance(value, int) and accepts(value))


def _word(*words: str) -> Kind:
    return Kind(f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words)


def _words(*words: str) -> Kind:
    return Kind(f"a list of {', '.join(words)}", _set_of(lambda value: isinstance(value, str) and value in words))


TERRITORY_KIND = Kind("a territory such as FR", _matches(TERRITORY))
TERRITORIES = Kind('a list of territories such as ["FR"], each once', _set_of(_matches(TERRITORY)))
YES_NO = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a text", lambda value: isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable())
PERCENT = Kind('a share with two places such as "24.00"', _matches(SHARE))
STATUTES = Kind('a list of statutes such as ["US:CLOUD_ACT"]', _set_of(_matches(STATUTE)))
MOMENT = Kind("a moment with its time zone", lambda value: instant(value) is not None)
LATITUDE = Kind("a number from -90 to 90", _number(-90, 90))
LONGITUDE = Kind("a number from -180 to 180", _number(-180, 180))

PARTY: Mapping[str, Kind] = {
    "party.fictitious": YES_NO,
    "party.statutory_seat": TERRITORY_KIND,
    "party.central_admin": TERRITORY_KIND,
    "party.principal_establishment": TERRITORY_KIND,
    "party.ultimate_parent_country": TERRITORY_KIND,
    "party.non_eu_max_single_pct": PERCENT,
    "party.non_eu_collective_pct": PERCENT,
    "party.non_eu_veto": YES_NO,
    "party.non_eu_board_majority": YES_NO,
    "party.controlled_by_non_eu": YES_NO,
    "party.non_eu_establishments": TERRITORIES,
    "party.extraterritorial_exposure": STATUTES,
    "party.operating_autonomy": YES_NO,
    "party.control_change_notice": MOMENT,
}

ZONE: Mapping[str, Kind] = {
    "location.territory": TERRITORY_KIND,
    "location.urban_area": TEXT,
    "location.lat": LATITUDE,
    "location.lon": LONGITUDE,
    "location.site_id": TEXT,
    "tenancy": _words("shared", "dedicated_host", "dedicated_zone", "physically_isolated"),
    "network_class": _level(2),
    "encryption.at_rest": YES_NO,
    "encryption.per_tenant_key": YES_NO,
    "encryption.volume_format": _word("none", "LUKS1", "LUKS2"),
    "keys.custody": _word("none", "provider_software", "provider_hsm", "customer_byok", "customer_hyok"),
    "keys.countries": TERRITORIES,
    "keys.module": _word("software", "TPM", "HSM"),
    "logs.countries": TERRITORIES,
    "metadata.countries": TERRITORIES,
    "controlplane.countries": TERRITORIES,
    "pki.ca_country": TERRITORY_KIND,
    "admin.access_from": TERRITORIES,
    "admin.personnel": _word("any", "eu_resident", "eu_citizen", "eu_citizen_resident", "national_cleared"),
    "support.access_from": TERRITORIES,
    "support.gateway": YES_NO,
    "console.gateway_countries": TERRITORIES,
    "netedge.ip_countries": TERRITORIES,
    "netedge.foreign_tls_termination": YES_NO,
    "erasure.method": _word("crypto_erase", "overwrite", "overwrite_and_destroy"),
    "disconnect.tested_at": MOMENT,
    **{f"seal.sov-{n}": _level(4) for n in range(1, 9)},
    "ual": _level(4),
    "gaia_x_label": _level(3),
}

SET_MEMBERS = "members"
CERTIFICATIONS = "certifications"
