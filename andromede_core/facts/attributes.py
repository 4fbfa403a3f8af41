"""Attributes of parties, zones, nodes and pools: the values of each, and the operators that may test it.

Names are dotted. Countries are ISO 3166-1 alpha-2 territories, so Réunion is RE. Shares are decimals with two places,
written as text, since a binary fraction would round them. Standard library only: nodes run this too.
"""

import re
import reprlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from andromede_core.documents.canonical import is_plain
from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import SLUG, instant
from andromede_core.facts.territories import TERRITORY_CODES

SET_NAME = re.compile(r"@[A-Za-z0-9]{1,62}")
CERTIFIED_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 ._:/+-]{0,61}[A-Za-z0-9+])?")  # of a scheme, or of a level of one
CERTIFIED_NAME_WANTS = Message(
    "1 to 63 letters, digits, spaces and . _ : / + -, beginning and ending with a letter or digit"
)
SHARE = re.compile(r"(100\.00|[0-9]{1,2}\.[0-9]{2})")
STATUTE = re.compile(r"[A-Z]{2}:[A-Z0-9_.]{1,60}")
DIGEST = re.compile(r"[0-9a-f]{64}")

SET_MEMBERS = "members"
CERTIFICATIONS = "certifications"
PARTIES = "parties"
ZONE_ID = "zone.id"

PARTY_ROLES = (
    "operator",
    "dc_landlord",
    "remote_support",
    "software_licensing",
    "network_carrier",
    "key_custodian",
    "backup_operator",
)
NONE = "none"  # known: there is no such moment; null: unknown
# Common wrong codes, and the standard's codes for them.
TERRITORY_ALIASES = {"UK": "GB", "EL": "GR"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """The type of a value and the operators that a policy may apply to it.

    `wants` ends the sentence "must be …"; `accepts` checks a value's type; `operators` are those of policy/document.py
    that may test it. `order`: the words of a scale, weakest first. `members`: for a set, what its members must be; for
    a single value, what a policy may list. `review_days`: a statement has to be renewed after so many days, unless it
    states otherwise itself. `is_claim`: the attribute is about a measure that a platform could take or enforce, and
    that this one does not: the operator declares to have taken it.
    """

    wants: Message
    accepts: Callable[[object], bool]
    operators: frozenset[str] = frozenset()
    member: Callable[[object], bool] | None = None
    order: tuple[str, ...] = ()
    is_territory: bool = False
    is_never_empty: bool = False
    review_days: int | None = None
    is_claim: bool = False


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _set_of(member: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(member, value)) and len(set(value)) == len(value)


def _number(lowest: int, highest: int) -> Callable[[object], bool]:
    def accepts(value: object) -> bool:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return lowest <= value <= highest and is_plain(value)

    return accepts


def _among(words: Collection[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _level(highest: int) -> Attribute:
    within = _number(0, highest)
    return Attribute(
        Message("a whole number from 0 to {highest}", highest=highest),
        lambda value: isinstance(value, int) and within(value),
        frozenset({"le", "ge"}),
    )


def _word(*words: str) -> Attribute:
    member = _among(words)
    return Attribute(Message("one of {words}", words=", ".join(words)), member, frozenset({"in"}), member)


def _scale(*words: str) -> Attribute:
    return Attribute(
        Message("one of {words}", words=", ".join(words)), _among(words), frozenset({"le", "ge"}), order=words
    )


def _set(wants: Message, member: Callable[[object], bool], *, is_territory: bool = False) -> Attribute:
    operators = frozenset({"subset", "contains", "disjoint"})
    return Attribute(wants, _set_of(member), operators, member, is_territory=is_territory)


def _words(*words: str) -> Attribute:
    return _set(Message("a list of {words}", words=", ".join(words)), _among(words))


def _is_text(value: object) -> bool:
    """Accept a text that cannot be taken for the name of a set."""
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and not value.startswith("@")


_is_territory = _among(TERRITORY_CODES)
_TERRITORY = Attribute(
    Message("a territory such as FR"), _is_territory, frozenset({"in"}), _is_territory, is_territory=True
)
_TERRITORIES = _set(Message('a list of territories such as ["FR"], each once'), _is_territory, is_territory=True)
_SOMEWHERE = replace(
    _TERRITORIES,
    wants=Message('a list of at least one territory such as ["FR"], each once'),
    accepts=lambda value: bool(value) and _TERRITORIES.accepts(value),
    is_never_empty=True,
)
_YES_NO = Attribute(Message("true or false"), lambda value: isinstance(value, bool), frozenset({"is"}))
_TEXT = Attribute(Message("a text that does not begin with @"), _is_text, frozenset({"in"}), _is_text)
_SHARE = Attribute(Message('a share with two places such as "24.00"'), _matches(SHARE), frozenset({"le", "ge"}))
_STATUTES = _set(Message('a list of statutes such as ["US:CLOUD_ACT"]'), _matches(STATUTE))
_MOMENT = Attribute(
    Message("a moment with its time zone"), lambda value: instant(value) is not None, frozenset({"within_days"})
)
_MOMENT_OR_NONE = Attribute(
    Message("a moment with its time zone, or none"),
    lambda value: value == NONE or instant(value) is not None,
    frozenset({"is"}),
    _among((NONE,)),
)
_LATITUDE = Attribute(Message("a number from -90 to 90, not closer to 0 than 0.0001"), _number(-90, 90))
_LONGITUDE = Attribute(Message("a number from -180 to 180, not closer to 0 than 0.0001"), _number(-180, 180))
_SLUGS = _set(Message("a list of ids, each once"), _matches(SLUG))
_DIGEST = Attribute(
    Message("a SHA-256 digest in lower-case hex"), _matches(DIGEST), frozenset({"in"}), _matches(DIGEST)
)


def _claim(attribute: Attribute) -> Attribute:
    return replace(attribute, is_claim=True)


def _yearly(attribute: Attribute) -> Attribute:
    return replace(attribute, review_days=365)


PARTY: Mapping[str, Attribute] = {
    "party.fictitious": _YES_NO,
    "party.statutory_seat": _yearly(_TERRITORY),
    "party.central_admin": _yearly(_TERRITORY),
    "party.principal_establishment": _yearly(_TERRITORY),
    "party.ultimate_parent_country": _yearly(_TERRITORY),
    "party.non_eu_max_single_pct": _yearly(_SHARE),
    "party.non_eu_collective_pct": _yearly(_SHARE),
    "party.non_eu_veto": _yearly(_YES_NO),
    "party.non_eu_board_majority": _yearly(_YES_NO),
    "party.controlled_by_non_eu": _yearly(_YES_NO),
    "party.non_eu_establishments": _yearly(_TERRITORIES),
    "party.extraterritorial_exposure": _yearly(_STATUTES),
    "party.operating_autonomy": _yearly(_YES_NO),
    "party.control_change_notice": _MOMENT_OR_NONE,
}

ZONE: Mapping[str, Attribute] = {
    "location.territory": _TERRITORY,
    "location.urban_area": _TEXT,
    "location.lat": _LATITUDE,
    "location.lon": _LONGITUDE,
    "location.site_id": _TEXT,
    "tenancy": _claim(_words("shared", "dedicated_host", "dedicated_zone", "physically_isolated")),
    "network_class": _level(2),
    "encryption.at_rest": _claim(_YES_NO),
    "encryption.per_tenant_key": _claim(_YES_NO),
    "encryption.volume_format": _claim(_word("none", "LUKS1", "LUKS2")),
    "keys.custody": _claim(_scale("none", "provider_software", "provider_hsm", "customer_byok", "customer_hyok")),
    "keys.countries": _claim(_SOMEWHERE),
    "keys.module": _claim(_word("software", "TPM", "HSM")),
    "logs.countries": _SOMEWHERE,
    "metadata.countries": _SOMEWHERE,
    "controlplane.countries": _SOMEWHERE,
    "pki.ca_country": _TERRITORY,
    "admin.access_from": _TERRITORIES,
    "admin.personnel": _scale("any", "eu_resident", "eu_citizen", "eu_citizen_resident", "national_cleared"),
    "support.access_from": _TERRITORIES,
    "support.gateway": _claim(_YES_NO),
    "console.gateway_countries": _TERRITORIES,
    "netedge.ip_countries": _TERRITORIES,
    "netedge.foreign_tls_termination": _YES_NO,
    "erasure.method": _claim(_scale("unlink", "crypto_erase", "overwrite", "overwrite_and_destroy")),
    "disconnect.tested_at": _MOMENT,
    **{f"seal.SOV-{n}": _level(4) for n in range(1, 9)},
    "ual": _level(4),
    "gaia_x_label": _level(3),
}

NODE: Mapping[str, Attribute] = {
    "node.tpm_ek_sha256": _DIGEST,
    "node.dedicated_to": Attribute(Message("an organization's id"), lambda value: isinstance(value, str)),
}
POOL: Mapping[str, Attribute] = {"pool.replica_zones": _SLUGS}
REGION: Mapping[str, Attribute] = {"region.kind": _TEXT}

# Attributes that a policy may test: of its zone, and of the parties of its zone.
ASKABLE: Mapping[str, Attribute] = {
    ZONE_ID: Attribute(Message("a zone's id"), _matches(SLUG), frozenset({"in"}), _matches(SLUG)),
    **ZONE,
    **PARTY,
}

# Who takes the measure of an attribute that is about a measure.
Deliverer = Literal["platform", "operator"]
CLAIMS = frozenset(name for name, attribute in ASKABLE.items() if attribute.is_claim)


def delivered_by(attribute: str) -> Deliverer | None:
    """Return who takes the measure.

    `operator`: the operator declares it and the platform does not enforce it; `platform`: the platform does. None: the
    attribute is about no measure, but about a place, a party or a document.
    """
    return "operator" if attribute in CLAIMS else None


# Members of named sets.
TERRITORIES = _TERRITORIES
SCHEMES = _set(Message("a list of certification schemes, each once"), _matches(CERTIFIED_NAME))

# Attributes by kind of subject. Entries of parties and certifications have a form of their own.
ABOUT: Mapping[str, Mapping[str, Attribute | None]] = {
    "zone": {**ZONE, PARTIES: None, CERTIFICATIONS: None},
    "party": PARTY,
    "set": {SET_MEMBERS: TERRITORIES},
    "scheme_class": {SET_MEMBERS: SCHEMES},
    "region": REGION,
    "node": NODE,
    "pool": POOL,
}


def correction(attribute: Attribute, value: object) -> str:
    """Return the probable correction of a rejected value (or list): the end of a sentence, or empty."""
    for member in value if isinstance(value, list) else [value]:
        if isinstance(member, str) and member.startswith("@"):
            name = reprlib.repr(member)
            return Message("; {name} names a set, and only policies name sets, where they list territories", name=name)
        if attribute.is_territory and isinstance(member, str) and member in TERRITORY_ALIASES:
            return Message("; the code of {member} is {code}", member=member, code=TERRITORY_ALIASES[member])
    return ""
