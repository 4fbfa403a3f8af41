"""Transparency reports for customers about every zone: applicable law, and transfers out of its territory.

Derived from facts; unknown attributes are reported as unknown.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from andromede_core.facts.attributes import PARTIES
from controlplane.catalog import selectors
from controlplane.catalog.models import Zone

Values = Mapping[str, object]

# Locations and access paths of each kind of data, with the attribute of each.
LOCI = {
    "keys": "keys.countries",
    "logs": "logs.countries",
    "metadata": "metadata.countries",
    "controlplane": "controlplane.countries",
    "pki": "pki.ca_country",
    "admin": "admin.access_from",
    "support": "support.access_from",
    "console": "console.gateway_countries",
    "netedge": "netedge.ip_countries",
}


def jurisdictions(zones: Iterable[Zone], *, now: datetime) -> list[dict[str, object]]:
    of_zones = _present("zone", [zone.pk for zone in zones], now=now)
    names = dict(selectors.parties().values_list("pk", "name"))
    of_parties = _present("party", list(names), now=now)
    return [
        _jurisdiction(zone, values, [_reach(part, names, of_parties) for part in _parts(values)])
        for zone, values in of_zones.items()
    ]


def _jurisdiction(zone: str, values: Values, reaches: list[dict[str, object]]) -> dict[str, object]:
    statutes = [reach["statutes"] for reach in reaches]
    return {
        "zone": zone,
        "territory": values.get("location.territory"),
        "parties": reaches,
        "statutes": sorted({statute for each in statutes if isinstance(each, list) for statute in each}),
        "is_complete": bool(reaches) and all(each is not None for each in statutes),
    }


def _reach(part: Values, names: Mapping[str, str], of_parties: Mapping[str, Values]) -> dict[str, object]:
    party = str(part["party"])
    reach = of_parties.get(party, {})
    return {
        "party": party,
        "name": names.get(party, party),
        "role": part["role"],
        "has_technical_access": part["technical_access"],
        "statutory_seat": reach.get("party.statutory_seat"),
        "ultimate_parent_country": reach.get("party.ultimate_parent_country"),
        "statutes": reach.get("party.extraterritorial_exposure"),
    }


def transfers(zones: Iterable[Zone], *, now: datetime) -> list[dict[str, object]]:
    of_zones = _present("zone", [zone.pk for zone in zones], now=now)
    return [_transfers(zone, values) for zone, values in of_zones.items()]


def _transfers(zone: str, values: Values) -> dict[str, object]:
    territory = values.get("location.territory")
    abroad, unknown = [], [] if territory else ["location.territory"]
    for locus, attribute in LOCI.items():
        countries = values.get(attribute)
        if countries is None:
            unknown.append(attribute)
            continue
        foreign = sorted(set(countries if isinstance(countries, list) else [countries]) - {territory})
        if foreign:
            abroad.append({"locus": locus, "attribute": attribute, "countries": foreign})
    return {"zone": zone, "territory": territory, "transfers": abroad, "unknown": unknown}


def _present(kind: str, ids: list[str], *, now: datetime) -> dict[str, Values]:
    """Return id → attribute → value of the valid facts whose review is not due."""
    facts_by_subject = selectors.facts_of(kind, ids, at=now)
    return {
        name: {attribute: fact.value for attribute, fact in facts.items() if not fact.is_due(now)}
        for name, facts in facts_by_subject.items()
    }


def _parts(values: Values) -> list[Values]:
    parts = values.get(PARTIES)
    return parts if isinstance(parts, list) else []
