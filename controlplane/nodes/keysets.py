"""Content of the next keyset: the keys of signers and sentinels, and those of officers.

A new signer's key ends those with an overlapping scope of zones and classifications, after a period in which nodes take
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
    """New keys of signers or sentinels.

    `classifications`: the scope of signers; `cosigned`: those that demand a sentinel. `delay`: the time before they
    sign, so that nodes have them by then.
    """

    zones: Collection[str] = (ANY,)
    classifications: Collection[str] = (ANY,)
    cosigned: Collection[str] = COSIGNED
    delay: timedelta = timedelta(0)
    lifetime: timedelta = LIFETIME


def overlaps(key: Key, new: NewKeys) -> bool:
    """Tell if the scopes of both keys overlap."""
    return _meet(key.zones, new.zones) and _meet(key.classifications, new.classifications)


def covers(zone: str, new: NewKeys) -> bool:
    return _meet({zone}, new.zones)


def _meet(some: Collection[str], others: Collection[str]) -> bool:
    return ANY in some or ANY in others or not set(some).isdisjoint(others)


def process_keys(
    before: Mapping[str, Key], public_keys: Mapping[str, str], use: Use, new: NewKeys, *, now: datetime
) -> dict[str, Key]:
    """Return the keys of signers or of sentinels (`use`).

    They are those of the previous keyset that are not over, and the new ones among `public_keys` (id → key).
    """
    unexpired = {key.id: key for key in before.values() if key.use == use and key.not_after > now}
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
        for key in unexpired.values()
    }
    return ending | added


def officer_keys(before: Mapping[str, Key], approvers: Mapping[str, Approver], *, now: datetime) -> dict[str, Key]:
    """Return the officers' keys. A key has one use.

    Those of `approvers` (id → whose), and earlier approvers' keys, sign approvals of exemptions, the others facts.

    A revoked or expired key stays for the facts that it signed before, as long as these are in force.
    """
    signing = set(Fact.objects.filter(superseded_at=None).values_list("key_id", flat=True).distinct())
    keys = {}
    for row in OfficerKey.objects.order_by("key_id"):
        former = before.get(row.key_id)
        approver = approvers.get(row.key_id) or (former.approver if former else None)
        not_after = min(row.not_after, row.revoked_at or row.not_after)
        if (not_after > now or row.key_id in signing) and not_after > row.not_before:
            keys[row.key_id] = Key(
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
    return keys
