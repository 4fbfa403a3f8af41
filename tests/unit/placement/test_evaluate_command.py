"""The evaluate command, as an auditor runs it: in a clean environment, with the standard library alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from andromede_core.documents.parsing import Malformed
from andromede_core.policy import evaluation_request
from andromede_core.policy.clauses import LEVELS, ROLES
from andromede_core.policy.evaluation_request import answer, parse
from andromede_core.policy.roles import OPERATIONS, TAKING_NOTHING
from tests.unit.placement.sample import (
    CATALOGUE_FILE,
    EU,
    FAR_BACKUP,
    OWNERSHIP,
    ROOT,
    STATE,
    ZONES,
    catalogue,
    entry,
    secnumcloud,
    within,
)

# Isolated (-I) and without site-packages (-S), the interpreter finds nothing but its own library and this tree. It ends
# by naming all that it has loaded which is neither.
LAUNCHER = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv[0] = "evaluate"
try:
    runpy.run_module("andromede_core", run_name="__main__")
finally:
    roots = {{name.partition(".")[0] for name in sys.modules}}
    foreign = roots - set(sys.stdlib_module_names) - {{"__main__", "andromede_core"}}
    if foreign or "numpy" in roots or "django" in roots:
        sys.stderr.write(f"not of the standard library: {{sorted(foreign)}}\\n")
"""


def run(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAUNCHER, *arguments], input=stdin, capture_output=True, env={}, cwd=cwd
    )


def request(*layers: Any, **changes: Any) -> dict[str, Any]:
    body = {
        "schema": "andromede.sovereignty.evaluation/1",
        "now": "2026-11-24T12:00:00Z",
        "catalogue": catalogue(),
        "operation": "create",
        "role": "compute",
        "reference_zone": None,
        "layers": list(layers),
    }
    return {name: value for name, value in (body | changes).items() if value is not ...}


def layer(*clauses: Any, level: str = "organization", name: str = "pol-1", **more: Any) -> dict[str, Any]:
    return {"level": level, "id": name, "atoms": list(clauses)} | more


def evaluated(body: Any) -> dict[str, Any]:
    done = run("evaluate", "-", stdin=json.dumps(body).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def refusal(body: Any) -> str:
    return refused(json.dumps(body).encode())


def refused(text: bytes) -> str:
    done = run("evaluate", "-", stdin=text)
    assert (done.returncode, done.stdout) == (2, b"")
    line = done.stderr.decode()
    assert line.endswith("\n") and line.count("\n") == 1 and len(line) < 600
    return line.rstrip("\n")


def within_process(body: Any) -> dict[str, Any]:
    return answer(parse(body, folder=Path()))


# --- answers


def test_evaluation_of_state_data_lists_zones_and_reasons() -> None:
    result = evaluated(request(layer(*EU), layer(secnumcloud(days=90), level="project", name="pol-2")))
    assert list(result) == ["schema", "admissible", "valid_until", "unsatisfiable", "lint", "zones"]
    assert result["schema"] == "andromede.sovereignty.evaluation-result/1"
    assert result["admissible"] == ["fr-idf-1", "fr-idf-2"]
    assert result["valid_until"] == "2027-01-31T00:00:00Z"
    assert result["unsatisfiable"] == result["lint"] == []
    assert tuple(result["zones"]) == ZONES
    assert result["zones"]["fr-est-1"] == {
        "admit": False,
        "reasons": [
            {"atom": "loc", "result": "T", "code": "OK", "detail": "FR"},
            {"atom": "keyloc", "result": "T", "code": "OK"},
            {"atom": "logs", "result": "T", "code": "OK"},
            {"atom": "meta", "result": "T", "code": "OK"},
            {"atom": "adm", "result": "T", "code": "OK"},
            {
                "atom": "snc",
                "result": "F",
                "code": "CERT_EXPIRING",
                "detail": "SecNumCloud FICTIF-SNC-4, until 2027-01-31T00:00:00Z",
            },
        ],
    }
    assert result["zones"]["fr-sud-1"]["reasons"][-1] == {
        "atom": "snc",
        "result": "F",
        "code": "CERT_MISSING",
        "detail": "SecNumCloud",
    }
    assert result["zones"]["fr-idf-1"]["admit"] is True


def test_a_backup_is_measured_from_the_zone_of_reference() -> None:
    body = request(layer(*FAR_BACKUP), role="backup", operation="backup", reference_zone="fr-idf-1")
    assert evaluated(body)["admissible"] == ["fr-est-1"]
    nowhere = within_process(body | {"reference_zone": None})
    assert nowhere["admissible"] == []
    assert nowhere["zones"]["fr-est-1"]["reasons"][-1] == {
        "atom": "dist",
        "result": "U",
        "code": "ATTR_UNKNOWN",
        "detail": "reference",
    }
    assert within_process(body | {"role": "compute"})["admissible"] == ["fr-idf-1", "fr-idf-2", "fr-est-1"]


def test_ownership_facts_end_at_the_turn_of_the_year() -> None:
    result = within_process(request(layer(*EU, *OWNERSHIP)))
    assert result["valid_until"] == "2027-01-01T00:00:00Z"
    unknown = [each for each in result["zones"]["fi-hel-2"]["reasons"] if each["result"] == "U"]
    assert [each["atom"] for each in unknown] == ["single", "coll", "veto", "board", "third"]


def test_empty_policy_admits_every_zone_without_end() -> None:
    result = within_process(request())
    assert (result["admissible"], result["valid_until"]) == (list(ZONES), None)


def test_contradictions_and_clauses_without_effect_are_reported() -> None:
    organization = layer(within("fr", "location.territory", "in", "FR"))
    both = layer(within("fr-de", "location.territory", "in") | {"value": ["FR", "DE"]}, level="project")
    assert within_process(request(organization, both))["lint"] == [{"code": "NO_EFFECT", "atom": "fr-de"}]
    assert within_process(request(both, organization))["lint"] == [{"code": "NO_EFFECT", "atom": "fr-de"}]
    german = layer(within("de", "location.territory", "in", "DE"), level="project")
    result = within_process(request(organization, german))
    assert (result["unsatisfiable"], result["admissible"], result["lint"]) == (["fr", "de"], [], [])


def test_only_clauses_of_the_requested_role_contradict() -> None:
    backup = {"roles": ["backup"]}
    here, there = (within(f"b-{name}", "location.territory", "in", name) | backup for name in ("FR", "DE"))
    body = request(layer(here, there))
    result = within_process(body)
    assert (result["unsatisfiable"], result["admissible"]) == ([], list(ZONES))
    result = within_process(body | {"role": "backup"})
    assert (result["unsatisfiable"], result["admissible"]) == (["b-FR", "b-DE"], [])
    result = within_process(body | {"role": "backup", "operation": "delete"})
    assert (result["unsatisfiable"], result["admissible"]) == ([], list(ZONES))


def test_a_set_that_is_not_yet_in_force_is_unknown_and_no_contradiction() -> None:
    body = request(
        layer(within("fr", "location.territory", "in", "FR"), within("soon", "location.territory", "in", "@SOON"))
    )
    body["catalogue"]["sets"]["@SOON"] = {"valid_from": "2026-12-01T00:00:00Z", "values": ["FR"]}
    result = within_process(body)
    assert (result["unsatisfiable"], result["admissible"]) == ([], [])
    assert result["valid_until"] == "2026-12-01T00:00:00Z"
    assert result["zones"]["fr-idf-1"]["reasons"][1] == {
        "atom": "soon",
        "result": "U",
        "code": "ATTR_UNKNOWN",
        "detail": "@SOON",
    }


@pytest.mark.parametrize("status", ["draining", "closed"])
def test_a_zone_that_is_not_open_takes_nothing_new(status: str) -> None:
    body = request(layer(within("loc", "location.territory", "in")))
    entry(body["catalogue"], "zones", "fr-idf-1")["status"] = status
    result = within_process(body)
    assert "fr-idf-1" not in result["admissible"] and "fr-idf-2" in result["admissible"]
    assert result["zones"]["fr-idf-1"]["reasons"] == [
        {"atom": "loc", "result": "T", "code": "OK", "detail": "FR"},
        {"atom": "zone.status", "result": "F", "code": "ZONE_CLOSED", "detail": status},
    ]


@pytest.mark.parametrize("operation", TAKING_NOTHING)
def test_operation_that_takes_nothing_is_never_refused(operation: str) -> None:
    body = request(layer(*STATE), operation=operation)
    entry(body["catalogue"], "zones", "us-va-1")["status"] = "closed"
    result = within_process(body)
    assert (result["admissible"], result["valid_until"]) == (list(ZONES), None)


@pytest.mark.parametrize(
    ("interval", "is_there", "valid_until"),
    [
        ({"valid_from": "2026-11-24T12:00:01Z"}, False, "2026-11-24T12:00:01Z"),
        ({"valid_to": "2026-11-24T12:00:00Z"}, False, None),
        ({"valid_to": "2026-11-24T12:00:01Z"}, True, "2026-11-24T12:00:01Z"),
        ({"review_by": "2026-11-24T12:00:00Z"}, True, None),  # due for review: unknown, but not gone
    ],
)
def test_zone_outside_its_stated_period_is_closed(
    interval: dict[str, str], is_there: bool, valid_until: str | None
) -> None:
    body = request()
    entry(body["catalogue"], "zones", "fr-idf-1").update(interval)
    result = within_process(body)
    closed = {"atom": "zone.status", "result": "F", "code": "ZONE_CLOSED", "detail": "not stated for this time"}
    assert result["zones"]["fr-idf-1"] == {"admit": is_there, "reasons": [] if is_there else [closed]}
    assert result["valid_until"] == valid_until


def test_unsupported_policy_is_refused_everywhere() -> None:
    result = within_process(request(layer(level="classification", name="classified", unsupported=True)))
    assert result["admissible"] == []
    assert result["unsatisfiable"] == ["classified"]
    assert result["zones"]["fr-idf-2"]["reasons"] == [
        {"atom": "classified", "result": "F", "code": "NOT_SUPPORTED_CLASSIFIED"}
    ]


def test_classes_of_schemes_come_with_the_catalogue() -> None:
    body = request(layer(secnumcloud() | {"scheme": "@SOVEREIGN", "min_version": None, "scope": None}))
    body["catalogue"]["scheme_classes"] = {
        "@SOVEREIGN": {"valid_from": "2026-01-01T00:00:00Z", "valid_to": "2027-01-15T00:00:00Z", "values": ["C3A"]}
    }
    result = within_process(body)
    assert (result["admissible"], result["valid_until"]) == (["de-rhein-1"], "2027-01-15T00:00:00Z")


def test_every_level_and_role_is_known_and_a_layer_may_have_a_version() -> None:
    for level in LEVELS:
        assert within_process(request(layer(level=level, version=7)))["admissible"]
    for role in ROLES:
        assert within_process(request(layer(*EU), role=role))["admissible"]


def test_all_operations_that_take_something_are_evaluated_alike() -> None:
    assert {"create", "backup", "migrate", "instance.create", "console.read"} <= set(OPERATIONS)
    assert {"stop", "delete", "erase", "export", "instance.stop", "volume.delete"} <= set(TAKING_NOTHING)
    body = request(layer(*EU))
    assert {json.dumps(within_process(body | {"operation": name})) for name in OPERATIONS} == {
        json.dumps(within_process(body))
    }


def test_one_id_may_occur_at_two_levels() -> None:
    assert within_process(request(layer(), layer(level="project")))["admissible"] == list(ZONES)


def test_the_same_request_has_the_same_answer() -> None:
    body = request(layer(*STATE))
    assert json.dumps(within_process(body)) == json.dumps(within_process(json.loads(json.dumps(body))))


# --- where it is read from


def test_catalogue_file_is_relative_to_the_request(tmp_path: Path) -> None:
    folder = tmp_path / "request"
    folder.mkdir()
    (folder / "zones.json").write_bytes(CATALOGUE_FILE.read_bytes())
    body = request(layer(*STATE), catalogue=..., catalogue_file="zones.json")
    (folder / "ask.json").write_text(json.dumps(body))
    elsewhere = run("evaluate", str(folder / "ask.json"), cwd=tmp_path)
    assert json.loads(elsewhere.stdout)["admissible"] == ["fr-idf-1", "fr-idf-2"]
    in_folder = run("evaluate", "ask.json", cwd=folder)
    assert in_folder.stdout == elsewhere.stdout
    from_input = run("evaluate", "-", stdin=json.dumps(body).encode(), cwd=folder)
    assert from_input.stdout == elsewhere.stdout
    lost = run("evaluate", "-", stdin=json.dumps(body).encode(), cwd=tmp_path)
    assert (lost.returncode, lost.stderr.startswith(b"catalogue_file: ")) == (2, True)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 200_000, b'{"schema":NaN}', b"1" * 5000], ids=range(7)
)
def test_a_catalogue_file_is_read_as_strictly_as_the_request(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "zones.json").write_bytes(text)
    body = request(catalogue=..., catalogue_file="zones.json")
    (tmp_path / "ask.json").write_text(json.dumps(body))
    done = run("evaluate", str(tmp_path / "ask.json"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"catalogue_file: cannot be read: ") and done.stderr.count(b"\n") == 1


def test_names_of_any_language_are_written_as_utf_8(tmp_path: Path) -> None:
    body = request(layer({"id": "city", "attr": "location.urban_area", "op": "in", "value": ["Paris"]}))
    entry(body["catalogue"], "zones", "fr-idf-2")["location"]["urban_area"] = "Évry-Courcouronnes 東京"
    for environment in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}):
        done = subprocess.run(
            [sys.executable, "-S", "-m", "andromede_core", "evaluate", "-"],
            input=json.dumps(body).encode(),
            capture_output=True,
            env=environment,
            cwd=ROOT,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        reason = json.loads(done.stdout.decode())["zones"]["fr-idf-2"]["reasons"][0]
        assert reason["detail"] == "Évry-Courcouronnes 東京"


def test_assertion_of_certificates_comes_from_file_and_papers() -> None:
    body = request(layer(secnumcloud(assertion_min="certificate")))
    idf = entry(body["catalogue"], "zones", "fr-idf-2")
    assert within_process(body)["admissible"] == []
    idf["assertion"] = "third_party"
    assert within_process(body)["zones"]["fr-idf-2"]["reasons"][0]["detail"] == "certifications (third_party)"
    for certificate_ in idf["certifications"]:
        assert within_process(body)["admissible"] == []  # as long as one of them names no paper
        certificate_["evidence_sha256"] = "a" * 64
    assert within_process(body)["admissible"] == ["fr-idf-2"]
    body["layers"][0]["atoms"].append(within("loc", "location.territory", "in") | {"assertion_min": "certificate"})
    assert within_process(body)["zones"]["fr-idf-2"]["reasons"][1]["detail"] == "location.territory (third_party)"
    body = request(layer(secnumcloud(assertion_min="measured")))
    entry(body["catalogue"], "zones", "fr-idf-2").update(assertion="measured")
    assert within_process(body)["admissible"] == ["fr-idf-2"]


def test_party_of_the_last_possible_year_needs_no_review() -> None:
    body = request(layer(*EU, *OWNERSHIP))
    entry(body["catalogue"], "parties", "op-alpha")["as_of"] = "9999-12-31T00:00:00Z"
    reasons = within_process(body)["zones"]["fr-idf-1"]["reasons"]
    assert {each["code"] for each in reasons if each["result"] != "T"} == {"ATTR_UNKNOWN"}


def test_schemes_have_one_name_in_certificates_and_in_policies() -> None:
    body = request(layer({"id": "iso", "op": "holds", "scheme": "ISO/IEC 27001", "scope": "iaas"}))
    entry(body["catalogue"], "zones", "fr-idf-1")["certifications"][2]["scheme"] = "ISO/IEC 27001"
    assert within_process(body)["admissible"] == ["fr-idf-1"]


def stated(start: str, end: str | None, value: str = "FR") -> dict[str, Any]:
    return {
        "subject_kind": "zone",
        "subject_id": "fr-idf-1",
        "attribute": "location.site_id",
        "value": value,
        "valid_from": start,
        "valid_to": end,
    }


def test_statements_may_have_any_order_and_must_not_overlap() -> None:
    years = [stated(f"{year}-01-01T00:00:00Z", f"{year + 1}-01-01T00:00:00Z", str(year)) for year in range(2020, 2040)]
    body = request(layer({"id": "site", "attr": "location.site_id", "op": "in", "value": ["2026"]}))
    body["catalogue"]["statements"] = [*years[10:], *reversed(years[:10])]
    assert within_process(body)["admissible"] == ["fr-idf-1"]
    body["catalogue"]["statements"].insert(5, stated("2020-06-01T00:00:00Z", "2020-06-02T00:00:00Z"))
    with pytest.raises(Malformed, match=r"^statements\[5\]: two versions hold at the same time\.$"):
        within_process(body)


# --- what cannot be evaluated


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "request: cannot be read"),
        (b"{", "request: cannot be read"),
        (b"null", "request: must be an object"),
        (b"[]", "request: must be an object"),
        (b'"\xff"', "request: cannot be read"),
        ('{"schema":"é"}'.encode("latin-1"), "request: cannot be read"),
        ('{"schema":"x"}'.encode("utf-16"), "request: cannot be read"),
        (b'{"schema":"x","schema":"x"}', "request: cannot be read: a key stands twice"),
        (b'{"layers":[{"id":"a","id":"b"}]}', "request: cannot be read: a key stands twice"),
        (b'{"now":NaN}', "request: cannot be read: NaN"),
        (b"[" * 300_000, "request: cannot be read: it is nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "request: cannot be read: it is nested too deeply"),
        (b"9" * 10_000, "request: cannot be read"),
        (b'{"\\u001b[31m\\n\\nx":1,"schema":1,"now":1,"operation":1,"role":1,"layers":1}', "request: unknown key"),
    ],
)
def test_malformed_request_is_refused_in_one_line(text: bytes, reason: str) -> None:
    assert refused(text).startswith(reason)


def test_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    for name in (str(tmp_path / "missing.json"), str(tmp_path)):
        done = run("evaluate", name)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
        assert done.stderr.startswith(b"request: cannot be read: ")


def test_endless_request_is_refused() -> None:
    text = b'"' + b"x" * evaluation_request.MAX_BYTES + b'"'
    assert "more than 67108864 bytes" in refused(text)


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [
        (">/dev/full", "answer: cannot be written: [Errno 28]"),
        (">&-", "answer: cannot be written: standard output is closed"),
        ("| true", "answer: cannot be written: [Errno 32]"),
    ],
)
def test_write_error_is_reported_in_one_line(redirection: str, reason: str, tmp_path: Path) -> None:
    body = request(layer(*STATE, *[EU[0] | {"id": "x" * 60 + str(n)} for n in range(50)]))  # more than a pipe holds
    (tmp_path / "ask.json").write_text(json.dumps(body))
    command = f"{{ {sys.executable} -S -m andromede_core evaluate $ASK; echo $? >&2; }} {redirection}"
    environment = {"ASK": str(tmp_path / "ask.json"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, env=environment, cwd=ROOT)
    line, status = done.stderr.decode().splitlines()
    assert (line.startswith(reason), status, done.stdout) == (True, "2", b""), line


def test_invalid_command_line_is_refused() -> None:
    for arguments in ([], ["evaluate"], ["explain", "-"], ["evaluate", "-", "-"]):
        assert run(*arguments).returncode == 2
    assert b"evaluate" in run("--help").stdout


BROKEN: list[tuple[dict[str, Any], str]] = [
    (request(schema="andromede.sovereignty.evaluation/2"), "schema: "),
    (request(schema=...), "request: 'schema' is missing"),
    (request(now=...), "request: 'now' is missing"),
    (request(now="2026-11-24"), "now: "),
    (request(now="2026-11-24T12:00:00"), "now: "),
    (request(now=0), "now: "),
    (request(operation=...), "request: 'operation' is missing"),
    (request(operation=""), "operation: "),
    (request(operation=["create"]), "operation: "),
    (request(operation="instance.stopp"), "operation: there is no operation 'instance.stopp'"),
    (request(operation="Delete"), "operation: there is no operation 'Delete'"),
    (request(role=...), "request: 'role' is missing"),
    (request(role="everything"), "role: "),
    (request(role=None), "role: "),
    (request(reference_zone="xx-new-1"), "reference_zone: "),
    (request(reference_zone=["fr-idf-1"]), "reference_zone: "),
    (request(reference_zone=""), "reference_zone: "),
    (request(layers=...), "request: 'layers' is missing"),
    (request(layers={}), "layers: must be a list"),
    (request(layers=None), "layers: must be a list"),
    (request(limit=1), "request: unknown key 'limit'"),
    # the catalogue
    (request(catalogue=...), "catalogue: give either"),
    (request(catalogue_file="zones.json"), "catalogue: give either"),
    (request(catalogue=..., catalogue_file=7), "catalogue_file: "),
    (request(catalogue=..., catalogue_file=""), "catalogue_file: "),
    (request(catalogue=..., catalogue_file="a\0b"), "catalogue_file: "),
    (request(catalogue={}), "file: 'schema' is missing"),
    (request(catalogue=[]), "file: must be an object"),
    # the policies
    (request(7), "layers[0]: "),
    (request(layer(), layer(level="galaxy")), "layers[1].level: "),
    (request(layer(name="")), "layers[0].id: "),
    (request({"level": "project", "id": "x"}), "layers[0].atoms: missing"),
    (request(layer(*EU), layer(name="pol-2"), layer()), "layers[2].id: another organization layer has the id 'pol-1'"),
    (request(layer(secnumcloud(scope="IaaS"))), "layers[0].atoms[0].scope (clause snc): must be lower-case"),
    (
        request(layer({"id": "far", "op": "min_distance_km", "value": 1})),
        "layers[0].atoms[0].roles (clause far): missing",
    ),
    (request(layer(EU[0], EU[0])), "layers[0].atoms[1].id (clause loc): "),
    (request(layer(EU[0] | {"op": "subset"})), "layers[0].atoms[0].op (clause loc): location.territory takes only: in"),
    (request(layer(EU[0] | {"attr": "x"})), "layers[0].atoms[0].attr (clause loc): unknown attribute 'x'"),
    (request(layer(EU[0] | {"value": ["@EFTA"]})), "layers[0].atoms[0].value (clause loc): there is no set @EFTA"),
    (request(layer(secnumcloud() | {"scheme": "@ANY"})), "layers[0].atoms[0].scheme (clause snc): there is no scheme"),
    (request(layer(EU[0] | {"else": 1})), "layers[0].atoms[0].else (clause loc): unknown field"),
    (request(layer(EU[0] | {"a" * 10_000: 1})), "layers[0].atoms[0].aaaaa"),
    (request(layer(*[EU[0] | {"id": f"a{n}"} for n in range(65)])), "layers[0].atoms: must have at most 64"),
    (
        request(*[layer(*[EU[0] | {"id": f"a{n}"} for n in range(64)], name=f"pol-{m}") for m in range(5)]),
        "layers: the policies have 320",
    ),
]


@pytest.mark.parametrize(("body", "reason"), BROKEN)
def test_malformed_request_is_named_with_its_path(body: dict[str, Any], reason: str) -> None:
    assert refusal(body).startswith(reason)


CATALOGUES: list[tuple[str, Any, str]] = [
    ("zones", lambda zones: zones.append(zones[0]), "zones[14].id: 'fr-idf-1' is in the file twice"),
    ("zones", lambda zones: zones[2].update(status="shut"), "zones[2].status: "),
    ("zones", lambda zones: zones[1].update(region="xx"), "zones[1].region: "),
    ("zones", lambda zones: zones[1].update(altitude=35), "zones[1].altitude: there is no such attribute"),
    ("zones", lambda zones: zones[13].update({"keys.countries": ["FR"]}), "zones[13].keys.countries: is stated twice"),
    ("zones", lambda zones: zones[1].update(valid_to="2026-01-01T00:00:00Z"), "zones[1].valid_to: must be after"),
    ("zones", lambda zones: zones[1]["location"].update(territory="fr"), "zones[1].location.territory: "),
    ("zones", lambda zones: zones[0]["parties"].append(zones[0]["parties"][0]), "zones[0].parties[2]: "),
    ("zones", lambda zones: zones[0]["parties"][0].update(party="op-none"), "zones[0].parties: there is no party"),
    (
        "zones",
        lambda zones: zones[0]["certifications"][1].update(valid_to="2025-06-01T00:00:00Z"),
        "zones[0].certifications[1].valid_to: must be after",
    ),
    ("zones", lambda zones: zones[0]["certifications"][0].update(status="lapsed"), "zones[0].certifications[0].status"),
    ("parties", lambda parties: parties[3].update(non_eu_veto="no"), "parties[3].non_eu_veto: must be true or false"),
    ("sets", lambda sets: sets.update({"@EU": {"valid_from": "2020-02-01T00:00:00Z", "values": ["@EU"]}}), "sets.@EU"),
    ("sets", lambda sets: sets.update({"EU": {}}), "sets.EU: a set's name"),
    (
        "sets",
        lambda sets: sets.update({"@A": {"valid_from": "2020-02-01T00:00:00Z", "values": ["FR", "@B"]}}),
        'sets.@A.values: must be a list of territories such as ["FR"], each once, or null when it is not known; '
        "'@B' names a set",
    ),
    (
        "sets",
        lambda sets: sets["@EU"].update(values=["FR", "UK"]),
        'sets.@EU.values: must be a list of territories such as ["FR"], each once, or null when it is not known; '
        "the code of UK is GB.",
    ),
    ("parties", lambda parties: parties[0].update(statutory_seat="EL"), "parties[0].statutory_seat: must be a territ"),
    ("zones", lambda zones: zones[0]["location"].update(territory="XX"), "zones[0].location.territory: must be a ter"),
    ("zones", lambda zones: zones[0]["location"].update(urban_area="@Paris"), "zones[0].location.urban_area: must be"),
    ("zones", lambda zones: zones[0]["location"].update(lat=1e-7), "zones[0].location.lat: must be a number from -90"),
    ("zones", lambda zones: zones[0]["location"].update(lon=-0.00009), "zones[0].location.lon: must be a number from"),
    (
        "zones",
        lambda zones: zones[0]["certifications"][0].update(scheme="Sec\u200bNumCloud"),
        "zones[0].certifications[0].scheme: must be",
    ),
    (
        "zones",
        lambda zones: zones[0]["certifications"][0].update(level="high "),
        "zones[0].certifications[0].level: must be",
    ),
    (
        "zones",
        lambda zones: zones[0]["certifications"][0].update(evidence_sha256="paper"),
        "zones[0].certifications[0].evidence_sha256: must be a SHA-256 digest",
    ),
]


@pytest.mark.parametrize(("key", "damage", "reason"), CATALOGUES)
def test_malformed_catalogue_is_named_with_its_path(key: str, damage: Any, reason: str) -> None:
    body = request()
    damage(body["catalogue"][key])
    assert refusal(body).startswith(reason)
