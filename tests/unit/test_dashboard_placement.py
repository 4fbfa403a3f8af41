"""Pages of a placement decision."""

from typing import Any

from controlplane.dashboard.zone_verdicts import verdicts


def zone(name: str, *, is_admitted: bool = False, codes: list[str] | None = None, **result: str) -> dict[str, Any]:
    results = [{"policy": "", "level": "project", "atom": "france", "code": "OK", "detail": "FR", "result": "T"}]
    results[0] |= result
    return {"zone": name, "status": "open", "is_admitted": is_admitted, "codes": codes or [], "results": results}


def test_admitted_zones_come_first() -> None:
    sorted_verdicts = verdicts(
        {"zones": [zone("b"), zone("c", is_admitted=True), zone("a", is_admitted=True)]}, {"a": 3}
    )
    assert [(verdict.zone, verdict.is_admitted, verdict.fits) for verdict in sorted_verdicts] == [
        ("a", True, 3),
        ("c", True, None),
        ("b", False, None),
    ]


def test_each_refused_zone_has_reasons() -> None:
    refused = zone("us", codes=["ATTR_MISMATCH"], result="F", code="ATTR_MISMATCH", detail="US")
    bare = zone("us", codes=["ATTR_UNKNOWN", "ZONE_CLOSED"], result="U", code="ATTR_UNKNOWN", detail="us")
    new = zone("us", codes=["SOMETHING_NEW"])
    reasons = [verdicts({"zones": [each]})[0].reasons for each in (refused, bare, new, zone("us"))]
    assert reasons == [
        ["refused by policy: US (project/france)"],
        [
            "facts required by a policy are missing or overdue for review (project/france)",
            "accepts no new resources at the moment",
        ],
        ["something new"],
        ["no suitable nodes"],
    ]


def test_zone_without_nodes_is_not_marked_as_refused() -> None:
    marks = [
        verdicts({"zones": [each]})[0].mark
        for each in (zone("a", is_admitted=True), zone("b"), zone("c", codes=["NO_CAPACITY"]))
    ]
    assert marks == ["yes", "none", "no"]
