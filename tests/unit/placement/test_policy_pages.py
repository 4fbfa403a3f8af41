"""The pages about policies say what is so: examples parse and admit what is said, the tables are those of the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from andromede_core.facts.attributes import PARTY_ROLES
from andromede_core.placement.texts import REMEDIES, TEXTS
from andromede_core.policy.clauses import LEVELS, ROLES
from andromede_core.policy.document import VALUES
from andromede_core.policy.document import parse as parse_policy
from andromede_core.policy.evaluation import TESTS
from andromede_core.policy.evaluation_request import answer, parse
from andromede_core.policy.roles import OPERATIONS, ROLES_OF, TAKING_NOTHING
from tests.unit.placement.sample import ROOT, ask, policy, world

OFFICERS = ROOT / "docs" / "explanation" / "policies.md"
REFERENCE = ROOT / "docs" / "reference" / "policies.md"
COMMAND = ROOT / "docs" / "reference" / "evaluate.md"

BLOCK = re.compile(r"^```json\n(.*?)^```\n\n([^\n].*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
KNOWN = world()


def examples(page: Path) -> list[tuple[Any, str]]:
    """Each JSON example with the paragraph after it."""
    return [(json.loads(text), " ".join(after.split())) for text, after in BLOCK.findall(page.read_text())]


RECIPES = [(clauses, after) for clauses, after in examples(OFFICERS) if after.startswith("Admits")]


def test_the_officers_page_has_recipes() -> None:
    assert len(RECIPES) == 7
    assert len(RECIPES) == len(examples(OFFICERS)) - 1  # and one for a class that the sample catalogue has not


@pytest.mark.parametrize(("clauses", "after"), RECIPES)
def test_example_policy_admits_the_zones_of_the_page(clauses: list[dict[str, Any]], after: str) -> None:
    sentence = after.partition(". ")[0]
    reference = re.search(r"as a backup of `([a-z0-9-]+)`", sentence)
    admits_nothing = sentence.startswith("Admits nothing:")
    names = [] if admits_nothing else re.findall(r"`([a-z0-9-]+)`", sentence.rpartition(": ")[2])
    admitted = [
        zone
        for zone in KNOWN.zones
        if ask(
            policy(*clauses),
            zone,
            KNOWN,
            role="backup" if reference else "compute",
            reference=reference[1] if reference else None,
        ).admits
    ]
    assert admitted == names
    assert bool(names) != admits_nothing


def test_reasons_on_the_page_are_those_of_their_zones() -> None:
    qualified, exposed = RECIPES[1][0], RECIPES[4][0]
    for clauses, zone, code in (
        (qualified, "fr-est-1", "CERT_EXPIRING"),
        (qualified, "fr-est-2", "CERT_SUSPENDED"),
        (qualified, "fr-idf-3", "CERT_SCOPE"),
        (exposed, "fi-hel-2", "ATTR_UNKNOWN"),
    ):
        evaluation = ask(policy(*clauses), zone, KNOWN)
        assert {each.code for each in evaluation.results if each.result != "T"} == {code}
    assert {each.ref.clause for each in ask(policy(*exposed), "fr-sud-1", KNOWN).results if each.result == "F"} == {
        "abroad"
    }


def test_the_example_that_needs_a_class_parses() -> None:
    (clauses,) = [clauses for clauses, after in examples(OFFICERS) if not after.startswith("Admits")]
    assert policy(*clauses).clauses


def test_the_example_of_the_reference_parses() -> None:
    ((document, _),) = examples(REFERENCE)
    assert len(parse_policy(document).clauses) == 5


def test_the_request_of_the_page_has_the_answer_of_the_page() -> None:
    (request, _), (result, _) = examples(COMMAND)
    response = answer(parse(request, folder=ROOT))
    zones = response.pop("zones")
    for zone, documented in result.pop("zones").items():
        assert zones[zone] == documented  # type: ignore[index]
    assert response == result


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of all tables under a heading, without their head lines."""
    section = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    (body,) = [text for text in section if text.startswith(f"{heading}\n")]
    table = [
        line.strip("|\n ").split(" | ") for line in body.splitlines() if line.startswith("| ") and "---" not in line
    ]
    return [row for row in table if row[0].startswith("`")]


def word(cell: str) -> str:
    return cell.strip("` ")


def test_the_tables_of_the_reference_are_complete() -> None:
    assert tuple(word(row[0]) for row in rows(REFERENCE, "Levels")) == LEVELS
    operators = rows(REFERENCE, "Operators")
    assert [word(row[0]) for row in operators[: len(VALUES)]] == list(VALUES)
    for name, (_, code) in TESTS.items():
        assert word(dict((word(row[0]), row[2]) for row in operators[: len(VALUES)])[name]) == code
    text = REFERENCE.read_text()
    assert all(f"`{role}`" in text for role in PARTY_ROLES)


def test_roles_of_the_reference_equal_the_code() -> None:
    table = rows(REFERENCE, "Reasons of holding data")
    roles = [row for row in table if word(row[0]) in ROLES]
    assert tuple(word(row[0]) for row in roles) == ROLES
    operations = {
        operation: tuple(re.findall(r"`([a-z]+)`", row[1]))
        for row in table
        if row not in roles
        for operation in re.findall(r"`([a-z._-]+)`", row[0])
    }
    assert operations == {operation: held_as for operation, held_as in ROLES_OF.items() if held_as}


def test_the_operations_of_the_command_are_all_listed() -> None:
    section = COMMAND.read_text().partition("### Operations\n")[2].partition("\n## ")[0]
    free, evaluated, _ = section.strip().split("\n\n")
    assert tuple(re.findall(r"`([a-z_.-]+)`", free)) == TAKING_NOTHING
    assert tuple(re.findall(r"`([a-z_.-]+)`", evaluated)) == ("role", *OPERATIONS)


def test_reasons_and_remedies_of_the_reference_equal_the_code() -> None:
    table = {word(row[0]): row[2].strip() for row in rows(REFERENCE, "Reasons")}
    assert table == {code: TEXTS[f"remedy.{name}"][0] for code, name in REMEDIES.items()}
