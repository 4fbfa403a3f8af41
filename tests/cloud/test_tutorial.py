"""The tutorial for security officers does what it says: its blocks run in their order, in one shell."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import demo
from scripts.api import Api
from scripts.control_plane import ROOT
from tests.cloud.conftest import Tenant
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.lab

PAGE = ROOT / "docs" / "tutorial" / "sovereignty.md"
SECTION = re.compile(r"^## \d+\. (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "=== "

# What each section's reader has to see.
SEEN = {
    "What a zone is known for": ["FICTIF-SNC-1", "op-alpha"],
    "Say what you demand": ['"change": "tighter"', '"newly_refused_zones": [\n        "de-rhein-1"'],
    "A guest under this policy": ["fr-idf-1"],
    "A refusal explains itself": [
        "Not certified (project/snc): de-rhein-1 (SecNumCloud).",
        "Request one of these zones instead: fr-idf-1.",
        "Certification absente (project/snc) : de-rhein-1 (SecNumCloud).",
        "Demandez plutôt l'une de ces zones : fr-idf-1.",
    ],
    "What would break": ["CERT_WITHDRAWN", '"targets": []'],
    "A certificate expires": [
        "2 stated, 1 superseded",
        '"state": "drifted"',
        '"power_state": "running"',
        '"code": "policy_unsatisfiable"',
        "The certificate has expired (project/snc): fr-idf-1",
        '"state": "proposed"',
    ],
    "Where the data was": ['"state": "proven"', '"is_compliant": true', '"is_compliant": false'],
    "Take the evidence away": ["The export is consistent: no check failed."],
    "Change one letter": ["FAULT records.ndjson", "its content was changed", "status 1"],
    "The renewal": ["2 stated, 1 superseded"],
}


@pytest.fixture
def demo_project(tenant: Tenant) -> Iterator[Path]:
    """The project of the demo, with its policy and its tokens where the demo keeps them; gives the cloud's folder."""
    stack = tenant.cloud.stack
    tokens = tenant.cloud.make_project("demo")
    (stack.var / "tokens").write_text("\n".join(tokens))
    api = Api(stack.url, tokens[0], project="demo")
    api.put("policy", {"atoms": [{"id": "eu", "attr": "zone.id", "op": "in", "value": demo.ADMITTED}]})
    yield stack.var
    api.delete_if_there("instances/registry")
    api.close()


def script(var: Path, port: int) -> str:
    """All blocks, each section announced in what they print."""
    headings = list(SECTION.finditer(PAGE.read_text()))
    ends = [heading.start() for heading in headings[1:]] + [len(PAGE.read_text())]
    lines = ["set -euo pipefail"]
    for heading, end in zip(headings, ends, strict=True):
        lines += [f"echo '{MARK}{heading[1]}'", *BLOCK.findall(PAGE.read_text()[heading.end() : end])]
    return "\n".join(lines).replace("var/demo", str(var.relative_to(ROOT))).replace(":8000/", f":{port}/")


@pytest.mark.nightly
def test_tutorial_for_security_officers_runs(demo_project: Path, tenant: Tenant) -> None:
    done = subprocess.run(
        ["bash", "-c", script(demo_project, tenant.cloud.stack.port)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("ANDROMEDE_")},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    sections = dict(part.split("\n", 1) for part in done.stdout.split(MARK)[1:])
    missing = {(name, text) for name, texts in SEEN.items() for text in texts if text not in sections[name]}
    assert not missing
