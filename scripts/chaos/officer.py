"""An officer who states facts about zones: data whose policy does not admit its zone any more drifts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controlplane.catalog import signing, signing_keys
from scripts.control_plane import OFFICER

ATTRIBUTE = "admin.access_from"
AT_HOME, ABROAD = ["FR"], ["FR", "US"]
# Admits a zone while its administrators are at home. Share of the instances and volumes that have it.
GUARDED = 0.7
POLICY: list[dict[str, object]] = [{"id": "admins", "attr": ATTRIBUTE, "op": "subset", "value": AT_HOME}]


def policy(dice: random.Random) -> list[dict[str, object]]:
    """Return the own policy of an instance or volume that is created with a probability of GUARDED."""
    return POLICY if dice.random() < GUARDED else []


@dataclass(frozen=True)
class Officer:
    key: Path

    def signed(self, zone: str, value: Sequence[str], known: Sequence[object]) -> dict[str, Any]:
        """Return the body of POST /v1/facts: the administrators of the zone have access from there, from now on.

        `known`: the facts in force about it.
        """
        key = signing_keys.read_private_key(self.key)
        key_id = signing_keys.default_key_id(signing_keys.public_part(key))
        officer = signing_keys.Officer(key_id, OFFICER, signing_keys.signer(key))
        now = datetime.now(UTC).replace(microsecond=0)
        fact = {"subject_kind": "zone", "subject_id": zone, "attribute": ATTRIBUTE, "value": list(value)}
        from_now_on = {"valid_from": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "assertion": "self_declared"}
        new = signing.read_unsigned([fact | from_now_on], author=officer.name, now=now)
        return signing.sign_all(new, signing.parse_statements(known), officer)
