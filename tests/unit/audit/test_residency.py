"""Residency of data, from decisions, permits, receipts and drift."""

from datetime import UTC, datetime, timedelta

import pytest

from controlplane.audit.residency import History, Problem, disks_of, history

RESOURCE, OTHER = "vm-1", "vm-2"
DISK = "disk-1"
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)

Record = dict[str, object]


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


def text(hour: float) -> str:
    return at(hour).isoformat()


def decision(name: str = "d1", *, admit: bool = True, resource: str = RESOURCE) -> Record:
    return {"kind": "decision", "id": f"r-{name}", "document": {"decision": name, "admit": admit, "resource": resource}}


def permit(
    jti: str, hour: float, *, node: str = "n1", zone: str = "fr-1", resource: str = RESOURCE, **more: object
) -> Record:
    body: dict[str, object] = {"jti": jti, "resource": resource, "aud": node, "zone": zone, "decision": "d1"}
    body |= {"op": "instance.create", "volumes": [DISK]}
    body |= {"roles": ["compute", "storage", "key"], "nbf": text(hour), "exp": text(hour + 0.1)}
    return {"kind": "permit", "id": f"r-{jti}", "document": {"p": body | more, "kid": "k", "sig": "s"}}


def receipt(event: str, hour: float, *, jti: str = "p1", node: str = "n1", **more: object) -> Record:
    body: dict[str, object] = {"jti": jti, "node": node, "zone": "fr-1", "event": event, "kind": "instance"}
    body |= {"resource": RESOURCE, "at": text(hour), "generation": 1, "measured": {}}
    return {"kind": "receipt", "id": f"{event}-{hour}", "document": {"p": body | more, "kid": "k", "sig": "s"}}


def copy(event: str, hour: float, **more: object) -> Record:
    body: dict[str, object] = {"event": event, "kind": "snapshot", "resource": RESOURCE, "zone": "fr-1"}
    return {"kind": "copy", "id": f"{event}-{hour}", "at": text(hour + 0.1), "document": body | more}


def snapshot_permit(jti: str, hour: float, **more: object) -> Record:
    roles = ["snapshot", "replica", "key"]
    return permit(jti, hour, **{"op": "snapshot.create", "volumes": ["vol-1"], "roles": roles, **more})  # type: ignore[arg-type]


def drift(state: str, hour: float, *, zone: str = "fr-1") -> Record:
    return {
        "kind": "drift",
        "id": "x",
        "at": text(hour),
        "document": {"resource": RESOURCE, "zone": zone, "state": state},
    }


def spans(residency: History, role: str = "compute") -> list[tuple[str, datetime, datetime | None, str, bool]]:
    return [
        (each.node, each.start, each.end, each.state, each.is_compliant)
        for each in residency.intervals
        if each.role == role
    ]


def test_interval_from_open_to_close_is_proven() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1), receipt("closed", 3)]
    (interval,) = history(records, RESOURCE, role="compute").intervals
    assert (interval.role, interval.zone, interval.node) == ("compute", "fr-1", "n1")
    assert (interval.start, interval.end, interval.state) == (at(1), at(3), "proven")
    assert (interval.decision, interval.permit) == ("d1", "p1")
    assert (interval.open_receipt, interval.close_receipt) == ("opened-1", "closed-3")
    assert interval.is_compliant


def test_the_order_of_the_records_does_not_matter() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1), drift("drifted", 2), receipt("closed", 3)]
    assert history(records, RESOURCE) == history(records[::-1], RESOURCE)


def test_unclosed_interval_continues() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1)]
    assert spans(history(records, RESOURCE)) == [("n1", at(1), None, "proven", True)]


def test_reopening_at_the_same_place_continues_the_interval() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1), permit("p2", 2), receipt("opened", 2, jti="p2")]
    assert spans(history(records, RESOURCE)) == [("n1", at(1), None, "proven", True)]


def test_permit_without_a_receipt_is_declared() -> None:
    residency = history([decision(), permit("p1", 0)], RESOURCE)
    assert spans(residency) == [("n1", at(0), None, "claimed", True)]
    assert spans(residency, "storage") == [("n1", at(0), None, "claimed", True)]


@pytest.mark.parametrize("about", [RESOURCE, "vol-1"])
def test_refused_permit_is_not_declared(about: str) -> None:
    refused = receipt("refused", 1, resource=about)
    renewed = [permit("p2", 2), receipt("opened", 3, jti="p2")]
    residency = history([decision(), permit("p1", 0), refused, *renewed], RESOURCE)
    assert [(each.state, each.role, each.start) for each in residency.intervals] == [("proven", "compute", at(3))]


@pytest.mark.parametrize("op", ["instance.resize", "volume.attach"])
def test_permit_that_runs_no_guest_declares_no_memory(op: str) -> None:
    residency = history([decision(), permit("p1", 0, op=op)], RESOURCE)
    assert [(each.role, each.state) for each in residency.intervals] == [("storage", "claimed")]


def of_disk(event: str, hour: float, *, disk: str = DISK, **more: object) -> Record:
    return receipt(event, hour, kind="volume", resource=disk, **more)  # type: ignore[arg-type]


def test_disk_of_a_stopped_guest_stays_in_its_zone() -> None:
    records = [decision(), permit("p1", 0), of_disk("opened", 1), receipt("opened", 2), receipt("closed", 3)]
    residency = history([*records, permit("p2", 4, op="instance.resize")], RESOURCE)
    assert spans(residency, "storage") == [("n1", at(1), None, "proven", True)]
    assert spans(residency, "compute") == [("n1", at(2), at(3), "proven", True)]
    assert {each.role: each.disk for each in residency.intervals} == {"storage": DISK, "compute": ""}
    assert not residency.problems


def test_rebuilt_guest_may_have_two_disks_for_a_time() -> None:
    records = [decision(), permit("p1", 0), of_disk("opened", 1)]
    renewed = permit("p2", 2, op="instance.rebuild", volumes=["disk-2", "vol-1"])
    records += [renewed, of_disk("opened", 3, disk="disk-2", jti="p2"), of_disk("closed", 4)]
    records += [of_disk("opened", 2.5, disk="vol-1", jti="p2")]
    residency = history(records, RESOURCE, role="storage")
    assert [(each.disk, each.start, each.end) for each in residency.intervals] == [
        (DISK, at(1), at(4)),
        ("disk-2", at(3), None),
    ]
    assert not residency.problems


def test_a_disk_in_two_places_at_once_is_a_problem_of_its_guest() -> None:
    records = [decision(), permit("p1", 0), permit("p2", 1, node="n2"), of_disk("opened", 1)]
    records += [of_disk("opened", 2, jti="p2", node="n2"), of_disk("closed", 3)]
    assert history(records, RESOURCE).problems == (Problem("overlap", "storage", at(2), at(3)),)


def test_declared_interval_ends_at_a_later_receipt() -> None:
    records = [decision(), permit("p1", 0), permit("p2", 1, node="n2"), receipt("opened", 2, jti="p2", node="n2")]
    assert spans(history(records, RESOURCE)) == [
        ("n1", at(0), at(2), "claimed", True),
        ("n2", at(2), None, "proven", True),
    ]


def test_declared_interval_does_not_end_with_that_of_another_node() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 0.5), permit("p2", 1, node="n2"), receipt("closed", 2)]
    declared = ("n2", at(1), None, "claimed", True)
    assert spans(history(records, RESOURCE)) == [("n1", at(0.5), at(2), "proven", True), declared]


def test_permit_for_the_present_place_is_no_declaration() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1), permit("p2", 2)]
    assert spans(history(records, RESOURCE)) == [("n1", at(1), None, "proven", True)]


@pytest.mark.parametrize(
    "records",
    [
        [receipt("opened", 1)],
        [permit("p1", 0), receipt("opened", 1)],
        [decision(admit=False), permit("p1", 0), receipt("opened", 1)],
        [decision(), permit("p1", 0, node="n9"), receipt("opened", 1)],
        [decision(), permit("p1", 0, zone="us-1"), receipt("opened", 1)],
    ],
)
def test_interval_without_admitted_decision_and_permit_is_noncompliant(
    records: list[Record],
) -> None:
    proven = [each for each in history(records, RESOURCE).intervals if each.state == "proven"]
    assert [each.is_compliant for each in proven] == [False]


def test_a_volume_is_opened_under_the_permit_of_a_guest() -> None:
    records = [
        decision(resource=OTHER),
        permit("p1", 0, resource=OTHER, volumes=["vol-1"]),
        receipt("opened", 1, kind="volume", resource="vol-1"),
    ]
    (interval,) = history(records, "vol-1").intervals
    assert (interval.role, interval.state, interval.decision, interval.is_compliant) == (
        "storage",
        "proven",
        "d1",
        True,
    )


def test_drift_splits_an_interval_and_keeps_the_past() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1), receipt("closed", 9)]
    changes = [drift("at_risk", 2), drift("drifted", 3), drift("remediating", 4), drift("compliant", 5)]
    residency = history([*records, *changes, drift("drifted", 3, zone="de-1")], RESOURCE, role="compute")
    assert spans(residency) == [
        ("n1", at(1), at(3), "proven", True),
        ("n1", at(3), at(5), "proven", False),
        ("n1", at(5), at(9), "proven", True),
    ]
    assert [each.close_receipt for each in residency.intervals] == ["", "", "closed-9"]


def test_end_of_drift_does_not_make_a_noncompliant_place_compliant() -> None:
    records = [receipt("opened", 1), drift("drifted", 2), drift("compliant", 3)]
    assert not any(each.is_compliant for each in history(records, RESOURCE).intervals)


def test_two_places_at_once_are_a_problem() -> None:
    records = [
        decision(),
        permit("p1", 0),
        permit("p2", 1, node="n2"),
        receipt("opened", 1),
        receipt("opened", 2, jti="p2", node="n2"),
        receipt("closed", 3),
    ]
    assert history(records, RESOURCE, role="compute").problems == (Problem("overlap", "compute", at(2), at(3)),)


def attached_elsewhere(*after: Record, op: str = "volume.attach") -> History:
    """Return the history of a volume of a pool that another node has opened for its next guest."""
    records = [decision(), permit("p1", 0), permit("p2", 1, node="n2", op=op), of_disk("opened", 1)]
    return history([*records, of_disk("opened", 2, jti="p2", node="n2"), *after], DISK, role="storage")


@pytest.mark.parametrize("op", ["volume.attach", "instance.create"])
def test_volume_of_a_pool_is_opened_for_its_next_guest_before_its_former_node_closes_it(op: str) -> None:
    residency = attached_elsewhere(of_disk("closed", 3), op=op)
    assert [each.end for each in residency.intervals] == [at(3), None]
    assert not residency.problems


def test_former_node_that_does_not_close_a_volume_overlaps() -> None:
    assert attached_elsewhere().problems == (Problem("overlap", "storage", at(2), None),)


@pytest.mark.parametrize(("kind", "role"), [("instance", "compute"), ("volume", "storage")])
def test_evacuated_resource_was_on_its_lost_node_until_then(kind: str, role: str) -> None:
    """The receipt of the lost node comes when it is back."""
    records = [
        decision(),
        permit("p1", 0),
        receipt("opened", 1, kind=kind),
        permit("p2", 3, node="n2", op="instance.evacuate"),
        receipt("opened", 4, kind=kind, jti="p2", node="n2"),
        receipt("closed", 9, kind=kind),
    ]
    residency = history(records, RESOURCE, role=role)
    assert [(each.node, each.start, each.end) for each in residency.intervals] == [
        ("n1", at(1), at(4)),
        ("n2", at(4), None),
    ]
    assert not residency.problems


def test_lost_node_that_reopens_a_resource_overlaps() -> None:
    records = [
        decision(),
        permit("p1", 0),
        receipt("opened", 1),
        permit("p2", 3, node="n2", op="instance.evacuate"),
        receipt("opened", 4, jti="p2", node="n2"),
        permit("p3", 4.9),
        receipt("opened", 5, jti="p3"),
    ]
    assert history(records, RESOURCE, role="compute").problems == (Problem("overlap", "compute", at(5), None),)


def test_volume_for_several_instances_is_behind_no_node_and_on_each_that_has_it() -> None:
    def allow(jti: str, hour: float, **more: object) -> Record:
        return permit(jti, hour, op="volume.attach", volumes=[RESOURCE], shared=[RESOURCE], **more)  # type: ignore[arg-type]

    made = [
        decision(),
        permit("p1", 0, op="volume.create", volumes=[RESOURCE], shared=[RESOURCE], roles=["storage", "key"]),
    ]
    stored = [receipt("opened", 1, node="storage-agent", kind="cluster-volume")]
    opened = [
        allow("p2", 2, node="n1"),
        receipt("opened", 2, jti="p2", node="n1", kind="volume"),
        allow("p3", 3, node="n2"),
        receipt("opened", 3, jti="p3", node="n2", kind="volume"),
        receipt("closed", 4, jti="", node="n1", kind="volume"),
        receipt("closed", 5, jti="", node="n2", kind="volume"),
    ]
    ended = [receipt("closed", 6, jti="", node="storage-agent", kind="cluster-volume")]
    residency = history([*made, *stored, *opened, *ended], RESOURCE)
    assert spans(residency, "storage") == [
        ("", at(1), at(6), "proven", True),
        ("n1", at(2), at(4), "proven", True),
        ("n2", at(3), at(5), "proven", True),
    ]
    assert not residency.problems
    silent = history([*made, *opened], RESOURCE)  # the receipts of the storage agent have not come yet
    assert spans(silent, "storage")[0] == ("", at(0), None, "claimed", True)
    assert not silent.problems
    alone = [each for each in opened if each["id"] != "r-p3"]
    assert [each.code for each in history([*made, *stored, *alone], RESOURCE).problems] == ["overlap"]


def test_missing_disk_is_a_problem_and_a_stopped_guest_is_none() -> None:
    for kind, role, expected in (
        ("volume", "storage", [Problem("gap", "storage", at(2), at(4))]),
        ("instance", "compute", []),
    ):
        records = [
            decision(),
            permit("p1", 0),
            receipt("opened", 1, kind=kind),
            receipt("closed", 2, kind=kind),
            receipt("opened", 4, kind=kind),
        ]
        assert list(history(records, RESOURCE, role=role).problems) == expected


def test_images_are_in_several_places_by_right() -> None:
    records = [receipt("opened", 1, kind="image"), receipt("opened", 2, kind="image", node="n2")]
    residency = history(records, RESOURCE)
    assert len(residency.intervals) == 2
    assert not residency.problems


def test_intervals_are_limited_to_period_and_role() -> None:
    records = [decision(), permit("p1", 0), receipt("opened", 1), receipt("closed", 5)]
    cut = history(records, RESOURCE, start=at(2), end=at(3), role="compute")
    assert spans(cut) == [("n1", at(2), at(3), "proven", True)]
    assert not history(records, RESOURCE, start=at(5), end=at(6), role="compute").intervals
    assert not history(records, RESOURCE, role="image").intervals
    still = [decision(), permit("p1", 0), receipt("opened", 1)]
    assert spans(history(still, RESOURCE, start=at(2))) == [("n1", at(2), None, "proven", True)]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kind": "receipt", "document": None},
        receipt("opened", 1, at="yesterday"),
        receipt("sneezed", 1),
        receipt("opened", 1, kind="teapot"),
        receipt("opened", 1, resource=OTHER),
        {"kind": "permit", "document": {"p": {"jti": "p1", "resource": RESOURCE}}},
        {"kind": "drift", "document": {"resource": RESOURCE}},
        {"kind": "incident", "document": {"resource": RESOURCE}},
    ],
)
def test_irrelevant_record_is_ignored(record: Record) -> None:
    assert history([record], RESOURCE) == History((), ())


# ---- snapshots


def signed_snapshot(event: str, hour: float, **more: object) -> Record:
    return receipt(event, hour, node="storage-agent", kind="snapshot", **more)


@pytest.mark.parametrize("others", [[], [copy("taken", 0.9, jti="p1", at=text(0.9)), copy("erased", 3.1)]])
def test_receipts_of_the_storage_agent_prove_where_a_snapshot_was(others: list[Record]) -> None:
    """The records of what the agent answered stand beside them."""
    records = [decision(), snapshot_permit("p1", 0), signed_snapshot("opened", 1), signed_snapshot("closed", 3)]
    (interval,) = history([*records, *others], RESOURCE).intervals
    assert (interval.role, interval.node, interval.state, interval.is_compliant) == ("snapshot", "", "proven", True)
    assert (interval.start, interval.end) == (at(0.9 if others else 1), at(3))
    assert (interval.open_receipt, interval.close_receipt) == ("opened-1", "closed-3")


def test_receipt_of_the_erasure_may_be_missing() -> None:
    records = [decision(), snapshot_permit("p1", 0), signed_snapshot("opened", 1), copy("erased", 3)]
    assert spans(history(records, RESOURCE), "snapshot") == [("", at(1), at(3.1), "proven", True)]


@pytest.mark.parametrize("kind", ["cluster-volume", "key", "revert", "reading"])
def test_other_receipts_of_a_storage_agent_are_no_place(kind: str) -> None:
    """The node's receipts say where the volume is."""
    records = [decision(), permit("p1", 0, op="volume.create"), receipt("opened", 1, kind="volume")]
    alike = receipt("opened", 1, node="storage-agent", kind=kind)
    assert history([*records, alike], RESOURCE) == history(records, RESOURCE)


def trashed(event: str, hour: float, *, image: str = "a1", **more: object) -> Record:
    measured = {"pool": "vms", "trash": image} if image else {"pool": "vms"}
    return receipt(event, hour, node="storage-agent", kind="cluster-volume", measured=measured, **more)


def volume_until(hour: float) -> list[Record]:
    made = permit("p1", 0, op="volume.create", volumes=[RESOURCE])
    ends = [receipt(event, at, kind="volume") for event, at in (("opened", 1), ("closed", hour))]
    return [decision(), made, *ends]


def test_volume_is_in_its_pool_until_it_is_in_the_trash_and_there_until_it_is_erased() -> None:
    residency = history([*volume_until(2), trashed("closed", 3), trashed("erased", 9)], RESOURCE)
    assert spans(residency, "storage") == [("n1", at(1), at(3), "proven", True)]
    assert spans(residency, "trash") == [("", at(3), at(9), "proven", True)]
    pool, trash = residency.intervals
    assert (trash.disk, trash.zone, trash.permit) == (RESOURCE, "fr-1", "p1")
    assert pool.close_receipt == trash.open_receipt == "closed-3"
    assert trash.close_receipt == "erased-9"
    assert not residency.problems


def test_volume_that_waits_in_the_trash_is_still_there() -> None:
    residency = history([*volume_until(2), trashed("closed", 3), drift("drifted", 5)], RESOURCE)
    assert spans(residency, "trash") == [
        ("", at(3), at(5), "proven", True),
        ("", at(5), None, "proven", False),
    ]


def test_agent_of_an_earlier_release_says_nothing_of_its_trash() -> None:
    residency = history([*volume_until(2), trashed("closed", 3, image="")], RESOURCE)
    assert spans(residency, "storage") == [("n1", at(1), at(3), "proven", True)]
    assert spans(residency, "trash") == []


def test_each_image_of_a_volume_in_the_trash_has_an_interval_of_its_own() -> None:
    """The volume has left the pool, and come back."""
    first, second = trashed("closed", 3), trashed("closed", 4, image="a2")
    ends = [trashed("erased", 5, image="a2"), trashed("erased", 6), trashed("erased", 7, image="unknown")]
    residency = history([*volume_until(4), first, second, *ends], RESOURCE)
    assert [(each.start, each.end) for each in residency.intervals if each.role == "trash"] == [
        (at(3), at(6)),
        (at(4), at(5)),
    ]


@pytest.mark.parametrize("zone", ["fr-1", "fr-2"])
def test_trash_of_a_place_that_the_volume_has_left_does_not_lengthen_where_it_is(zone: str) -> None:
    """The volume is in another zone, or was, when its former image is moved to the trash."""
    there = permit("p2", 2, op="volume.move", node="n2", zone="fr-2", volumes=[RESOURCE])
    arrived = receipt("opened", 3, jti="p2", node="n2", zone="fr-2", kind="volume")
    gone = [receipt("closed", 4, jti="p2", node="n2", zone="fr-2", kind="volume")] if zone == "fr-1" else []
    records = [*volume_until(3), there, arrived, *gone, trashed("closed", 5), trashed("erased", 6)]
    residency = history(records, RESOURCE)
    assert [(each.node, each.end) for each in residency.intervals if each.role == "storage"] == [
        ("n1", at(3)),
        ("n2", at(4) if gone else None),
    ]
    assert spans(residency, "trash") == [("", at(5), at(6), "proven", True)]


def test_receipt_of_the_trash_answers_no_permit_of_a_node() -> None:
    made = permit("p1", 0, op="volume.create", volumes=[RESOURCE])
    residency = history([decision(), made, trashed("closed", 3), trashed("erased", 4)], RESOURCE)
    assert spans(residency, "storage") == [("n1", at(0), None, "claimed", True)]
    assert spans(residency, "trash") == [("", at(3), at(4), "proven", True)]


def test_snapshot_is_in_the_trash_until_it_is_erased() -> None:
    measured = {"pool": "vms", "volume": OTHER, "trash": "a1@4"}
    ends = [signed_snapshot(event, hour, measured=measured) for event, hour in (("closed", 3), ("erased", 9))]
    records = [decision(), snapshot_permit("p1", 0), signed_snapshot("opened", 1), *ends, copy("erased", 3.1)]
    residency = history(records, RESOURCE)
    assert [(each.role, each.disk, each.node, each.start, each.end) for each in residency.intervals] == [
        ("snapshot", "", "", at(1), at(3)),
        ("trash", "", "", at(3), at(9)),
    ]
    assert {(each.state, each.is_compliant) for each in residency.intervals} == {("proven", True)}


def test_root_disk_in_the_trash_is_in_the_residency_of_its_instance() -> None:
    records = [decision(), permit("p1", 0), of_disk("opened", 1), of_disk("closed", 2)]
    residency = history([*records, trashed("closed", 3, resource=DISK)], RESOURCE)
    assert [(each.role, each.disk, each.end) for each in residency.intervals if each.role != "compute"] == [
        ("storage", DISK, at(3)),
        ("trash", DISK, None),
    ]


def test_snapshot_is_declared_from_its_moment_to_its_erasure_and_on_no_node() -> None:
    records = [decision(), snapshot_permit("p1", 0), copy("taken", 1, jti="p1", at=text(1)), copy("erased", 3)]
    residency = history(records, RESOURCE)
    assert spans(residency, "snapshot") == [("", at(1), at(3.1), "claimed", True)]
    (interval,) = residency.intervals
    assert (interval.zone, interval.permit, interval.disk) == ("fr-1", "p1", "")
    assert (interval.open_receipt, interval.close_receipt) == ("taken-1", "erased-3")


@pytest.mark.parametrize("stated", [1.1, 2, 9999])
def test_snapshot_ends_with_its_erasure_whatever_moment_its_cluster_states(stated: float) -> None:
    taken = [decision(), snapshot_permit("p1", 0), copy("taken", 1, jti="p1", at=text(stated))]
    assert spans(history([*taken, copy("erased", 3)], RESOURCE), "snapshot") == [
        ("", at(1.1), at(3.1), "claimed", True)
    ]
    assert spans(history([*taken, copy("erased", 1)], RESOURCE), "snapshot") == [], "it was nowhere for any time"


def test_permit_for_snapshots_of_an_instance_is_about_each_of_them_and_not_about_the_instance() -> None:
    group = snapshot_permit("p1", 0, op="instance.snapshot", resource=OTHER, snapshots=["another", RESOURCE])
    records = [decision(), group, copy("taken", 1, jti="p1", at=text(1))]
    assert spans(history(records, RESOURCE), "snapshot") == [("", at(1), None, "claimed", True)]
    assert spans(history([decision(), group], RESOURCE), "snapshot") == [("", at(0), None, "claimed", True)]
    assert history(records, OTHER).intervals == ()
    assert disks_of(records, OTHER) == set()


def test_snapshot_may_be_there_from_its_permit_on() -> None:
    residency = history([decision(), snapshot_permit("p1", 0)], RESOURCE)
    assert spans(residency, "snapshot") == [("", at(0), None, "claimed", True)]
    undone = history([decision(), snapshot_permit("p1", 0), copy("erased", 1)], RESOURCE)
    assert spans(undone, "snapshot") == [("", at(0), at(1.1), "claimed", True)]


def test_snapshot_under_no_permit_for_its_zone_is_not_compliant() -> None:
    for records in ([], [snapshot_permit("p1", 0)], [decision(), snapshot_permit("p1", 0, zone="us-1")]):
        residency = history([*records, copy("taken", 1, jti="p1", at=text(1))], RESOURCE)
        assert spans(residency, "snapshot") == [("", at(1), None, "claimed", False)]


def test_drift_cuts_the_interval_of_a_snapshot() -> None:
    records = [decision(), snapshot_permit("p1", 0), copy("taken", 1, jti="p1", at=text(1)), drift("drifted", 2)]
    assert spans(history(records, RESOURCE), "snapshot") == [
        ("", at(1), at(2), "claimed", True),
        ("", at(2), None, "claimed", False),
    ]
