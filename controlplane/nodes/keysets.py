"""What the next keyset is made of: the keys of signers and sentinels, and those of officers.

A new signer's key ends those that may speak of the same zones and classifications, after an overlap in which nodes take
permits of both: until every node has the keyset, and longer than any node is away.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from andromede_core.permits.trust_documents import ANY, Approver, Key, Use
from controlplane.catalog.models import Fact, OfficerKey
from controlplane.catalog.signing_keys import algorithm_of

OVERLAP = timedelta(days=7)
LIFETIME = timedelta(days=366)
COSIGNED = ("dr", "etat-sensible")


@dataclass(frozen=True)
class NewKeys:
    """How keys of signers or sentinels that are not in a keyset yet come into it. `classifications`: of which signers
    may speak; `cosigned`: which demand a sentinel. `delay`: how long they wait before they sign, so that nodes know
    them by then."""

    zones: Collection[str] = (ANY,)
    classifications: Collection[str] = (ANY,)
    cosigned: Collection[str] = COSIGNED
    delay: timedelta = timedelta(0)
    lifetime: timedelta = LIFETIME


def overlaps(key: Key, new: NewKeys) -> bool:
    """Whether there is something that both may speak of."""
    return _meet(key.zones, new.zones) and _meet(key.classifications, new.classifications)


def covers(zone: str, new: NewKeys) -> bool:
    return _meet({zone}, new.zones)


def _meet(some: Collection[str], others: Collection[str]) -> bool:
    return ANY in some or ANY in others or not set(some).isdisjoint(others)


def process_keys(
    before: Mapping[str, Key], public_keys: Mapping[str, str], use: Use, new: NewKeys, *, now: datetime
) -> dict[str, Key]:
    """The keys of signers or of sentinels (`use`): those of the keyset before that are not over, and the new ones among
    `public_keys` (id → key)."""
    kept = {key.id: key for key in before.values() if key.use == use and key.not_after > now}
    added = {
        kid: Key(
            id=kid,
            use=use,
            algorithm=algorithm_of(public_key),
            public_key=public_key,
            zones=frozenset(new.zones),
            classifications=frozenset(new.cosigned if use == "sentinel" else new.classifications),
            not_before=now + new.delay,
            not_after=now + new.delay + new.lifetime,
        )
        for kid, public_key in public_keys.items()
        if kid not in before
    }
    ends = {(key.zones, key.classifications): key.not_before + OVERLAP for key in added.values()}
    ending = {
        key.id: replace(key, not_after=min(key.not_after, ends.get((key.zones, key.classifications), key.not_after)))
        for key in kept.values()
    }
    return ending | added


def officer_keys(before: Mapping[str, Key], approvers: Mapping[str, Approver], *, now: datetime) -> dict[str, Key]:
    """A key has one use: those of `approvers` (id → whose), and of those who were it before, sign approvals of
    exemptions, the others facts.

    A key that was revoked or is over stays for what it has signed until then, as long as that is believed.
    """
    believed = set(Fact.objects.filter(superseded_at=None).values_list("key_id", flat=True).distinct())
    found = {}
    for row in OfficerKey.objects.order_by("key_id"):
        known = before.get(row.key_id)
        approver = approvers.get(row.key_id) or (known.approver if known else None)
        not_after = min(row.not_after, row.revoked_at or row.not_after)
        if (not_after > now or row.key_id in believed) and not_after > row.not_before:
            found[row.key_id] = Key(
                id=row.key_id,
                use="approval" if approver else "facts",
                algorithm=algorithm_of(row.public_key),
                public_key=row.public_key,
                zones=frozenset({ANY}),
                classifications=frozenset({ANY}),
                not_before=row.not_before,
                not_after=not_after,
                approver=approver,
            )
    return found
