"""An officer of the tests with a valid key, and the facts that they state."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import controlplane.catalog
from andromede_core.facts.statements import Statement
from controlplane.catalog import signing_keys
from controlplane.catalog.bitemporal import with_remainders
from controlplane.catalog.catalogue_import import CatalogueImport, Signing, catalogue_import
from controlplane.catalog.facts import FactsStated, facts_state
from controlplane.catalog.models import Fact
from controlplane.catalog.officer_keys import NewOfficerKey, officer_key_register
from controlplane.catalog.selectors import facts_in_force, statement_of
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock

FIXTURES = Path(controlplane.catalog.__file__).parent / "fixtures"
ADA = "Ada Martin"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@cache
def private_key(name: str) -> Ed25519PrivateKey:
    """Return the key of the officer, the same one for the whole run."""
    return Ed25519PrivateKey.generate()


def officer(name: str = ADA) -> signing_keys.Officer:
    """Return an officer whose key is registered and in force."""
    key = private_key(name)
    public = signing_keys.public_part(key)
    since = clock.now() - timedelta(days=1)
    row = officer_key_register(SYSTEM, NewOfficerKey(officer=name, public_key=public, not_before=since))
    return signing_keys.Officer(row.key_id, name, signing_keys.signer(key))


def statement(kind: str, subject: str, attribute: str, value: object, **more: Any) -> Statement:
    """Return a statement. Defaults: it is valid since long ago, was attested now, and is to be reviewed in a year."""
    now = clock.now()
    usual: dict[str, Any] = {
        "valid_from": LONG_AGO,
        "valid_to": None,
        "attested_at": now,
        "review_by": now + timedelta(days=365),
        "assertion": "self_declared",
        "evidence_sha256": "",
        "author": ADA,
    }
    return Statement(kind, subject, attribute, value, **{**usual, **more})


def state(statements: Iterable[Statement], *, by: signing_keys.Officer | None = None) -> FactsStated:
    """State facts, together with others that would otherwise be lost."""
    by = by or officer()
    known = map(statement_of, Fact.objects.filter(facts_in_force()))
    return facts_state(SYSTEM, [by.signed(each) for each in with_remainders(list(statements), known)])


def state_of(kind: str, subject: str, values: Mapping[str, object], **more: Any) -> FactsStated:
    """State facts: state_of("zone", "fr-idf-1", {"location.territory": "FR"})"""
    return state(statement(kind, subject, attribute, value, **more) for attribute, value in values.items())


def sample_catalogue() -> Any:
    return json.loads((FIXTURES / "catalogue.json").read_text())


def import_sample(document: object | None = None, **more: Any) -> CatalogueImport:
    """Import the sample catalogue, or another one, attested today."""
    signing = Signing(officer(), **{"attested_at": clock.now(), **more})
    return catalogue_import(SYSTEM, document if document is not None else sample_catalogue(), signing)
