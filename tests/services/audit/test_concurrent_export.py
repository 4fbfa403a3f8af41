"""Decisions during changes of policies and facts pass the verifier, in any order of the log."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from andromede_core.evidence import sequence_checks
from controlplane.audit import evidence_log, export_archive, log_key
from controlplane.audit.models import EvidenceRecord
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.errors import FleetChanged
from controlplane.placement.policies import policy_set
from controlplane.placement.services import claim
from tests.facts import import_sample, state_of
from tests.services.audit.exports import verdict
from tests.services.threads import at_once, split
from tests.world import Cloud

CHANGES = 8
TERRITORY = {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"]}


def test_decisions_during_changes_of_policies_and_facts_verify(
    shared_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are admitted, and so have held what they rest on: not even clocks need an allowance."""
    monkeypatch.setattr(sequence_checks, "CLOCKS_APART", timedelta(0))
    log_key.create_log_key(shared_cloud.world.folder / "pki")
    import_sample()
    shared_cloud.world.publish_keys()
    shared_cloud.machine.heartbeat()
    project = shared_cloud.tenant.project

    def place() -> None:
        for _ in range(2 * CHANGES):
            with suppress(FleetChanged):
                claim(PlacementRequest("instance.create", project, new_id(), "instance", vcpus=0))

    def tighten() -> None:
        clauses = []
        for number in range(CHANGES):
            clauses.append({**TERRITORY, "id": f"loc-{number}"})
            policy_set(SYSTEM, clauses=clauses, organization=project.organization)

    def correct() -> None:
        for number in range(CHANGES):
            state_of("zone", "fr-idf-1", {"admin.access_from": ["FR"] if number % 2 else ["FR", "DE"]})

    def sequence() -> None:
        for _ in range(4 * CHANGES):
            evidence_log.sequence()

    calls: list[Callable[[], None]] = [place, place, tighten, correct, sequence]
    _, lost = split(at_once(calls))
    assert not lost
    assert EvidenceRecord.objects.filter(kind="decision", document__contains='"admit":true').count() >= CHANGES
    window = export_archive.ExportWindow(project.organization, clock.now() - timedelta(hours=1), clock.now())
    export_archive.write_export(window, tmp_path / "export.tar")
    result = verdict(tmp_path / "export.tar")
    assert result.status == 0, result.out
