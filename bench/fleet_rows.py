"""Rows of fleets of any size over the zones of the sample catalogue, their facts, and a tenant with strict policies."""

import json
import random
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from andromede_core.facts.catalogue import Catalogue, parse
from controlplane.catalog.models import Fact, FactsEpoch, Region, Zone
from controlplane.identity.models import Organization, Project
from controlplane.kernel import clock
from controlplane.nodes.models import Inventory, Node
from controlplane.placement.models import PolicyVersion
from scripts.control_plane import ROOT

CATALOGUE = ROOT / "controlplane" / "catalog" / "fixtures" / "catalogue.json"

BATCH = 5_000


def build(nodes: int) -> None:
    """Replace the fleet, with allocations and decisions."""
    chance = random.Random(nodes)
    zones = sorted(Zone.objects.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE placement_allocation, placement_decision, nodes_inventory, nodes_node CASCADE")
    for first in range(0, nodes, BATCH):
        numbers = range(first, min(first + BATCH, nodes))
        rows = [_node(number, zones[number % len(zones)]) for number in numbers]
        Node.objects.bulk_create(rows)
        Inventory.objects.bulk_create(_inventory(node, chance) for node in rows)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _node(number: int, zone: str) -> Node:
    """Make a node.

    Of a hundred nodes one does not answer, and two are reserved for maintenance; one of a thousand has not attested
    itself.
    """
    return Node(
        name=f"node-{number}",
        zone_id=zone,
        address="127.0.0.1:1",
        state="unreachable" if number % 100 == 7 else "ready",
        admin_state="cordoned" if number % 50 == 3 else "in-service",
        certificate_sha256="",
        certificate_expires_at=clock.now() + timedelta(days=1),
        is_attested=number % 1000 != 11,
        cleared_for=["*"],
        traits=["firmware:uefi", "cpu:avx512"] if number % 3 == 0 else ["firmware:uefi"],
    )


def _inventory(node: Node, chance: random.Random) -> Inventory:
    """Return the inventory: 128 threads sold four times, 512 GiB and 8 TB, a third of which is in use on average."""
    return Inventory(
        node=node,
        vcpus_total=128,
        vcpus_used=chance.randrange(340),
        memory_mib_total=2**19,
        memory_mib_used=chance.randrange(340_000),
        disk_gib_total=8_000,
        disk_gib_used=chance.randrange(5_300),
    )


def state_facts() -> None:
    """State the facts of the sample catalogue as of now, without checks of their signatures."""
    catalogue: Catalogue = parse(json.loads(CATALOGUE.read_text()))
    for region in catalogue.regions:
        Region.objects.get_or_create(pk=region.id, defaults={"name": region.name, "kind": region.kind})
    for zone in catalogue.zones:
        Zone.objects.get_or_create(pk=zone.id, defaults={"region_id": zone.region, "status": zone.status})
    Fact.objects.bulk_create(
        _fact(statement.kind, statement.id, attribute, value)
        for statement in catalogue.statements
        for attribute, value in statement.values.items()
    )


def _fact(kind: str, subject: str, attribute: str, value: object) -> Fact:
    now = clock.now()
    return Fact(
        subject_kind=kind,
        subject_id=subject,
        attribute=attribute,
        value=value,
        valid_from=now - timedelta(days=365),
        attested_at=now,
        review_by=now + timedelta(days=365),
        assertion="third_party",
        author="bench",
        key_id="bench",
        signature=b"",
    )


@transaction.atomic
def restate(zone: str, attribute: str, value: object) -> None:
    """Correct one fact."""
    current = Fact.objects.filter(subject_id=zone, attribute=attribute, superseded_at__isnull=True)
    current.update(superseded_at=clock.now())
    _fact("zone", zone, attribute, value).save(force_insert=True)
    FactsEpoch.objects.update(value=F("value") + 1)


def _in_eu(name: str, attribute: str, operator: str = "subset") -> dict[str, Any]:
    return {"id": name, "attr": attribute, "op": operator, "value": ["@EU"]}


def _operator(name: str, attribute: str, operator: str, value: object) -> dict[str, Any]:
    return {"id": name, "attr": f"party.{attribute}", "op": operator, "value": value, "party_roles": ["operator"]}


RESIDENCY = [
    _in_eu("loc", "location.territory", "in"),
    *(_in_eu(name, f"{name}.countries") for name in ("keys", "logs", "metadata")),
    _in_eu("adm", "admin.access_from"),
]
IMMUNITY = [
    *(_operator(seat, seat, "in", ["@EU"]) for seat in ("statutory_seat", "central_admin", "principal_establishment")),
    _operator("single", "non_eu_max_single_pct", "le", "24.00"),
    _operator("coll", "non_eu_collective_pct", "le", "39.00"),
    _operator("veto", "non_eu_veto", "is", False),
    _operator("board", "non_eu_board_majority", "is", False),
    {
        "id": "third",
        "attr": "party.controlled_by_non_eu",
        "op": "is",
        "value": False,
        "only_with_technical_access": True,
    },
]


def make_tenant() -> Project:
    """Make a tenant whose organization demands residency in the EU, and whose project immunity from other laws."""
    organization = Organization.objects.create(name="bench")
    project = Project.objects.create(organization=organization, name="bench")
    PolicyVersion.objects.create(level="organization", organization=organization, version=1, clauses=RESIDENCY)
    PolicyVersion.objects.create(level="project", project=project, version=1, clauses=IMMUNITY)
    return project
