"""The page that the `type` of every problem leads to."""

import pytest

from controlplane.api import problem_pages
from controlplane.kernel.errors import REGISTRY, CloudError
from tests.api.client import Caller
from tests.world import Cloud


def test_the_type_of_a_problem_leads_to_its_page(api: Caller, cloud: Cloud) -> None:
    problem = api.get("instances/nobody").body
    page = Caller(token=None).get(problem["type"]).body
    members = ("type", "code", "title", "status", "retryable")
    assert [page[name] for name in members] == [problem[name] for name in members]
    assert (page["detail"], page["facts"]) == ("There is no instance {name!r} here.", ["name"])
    assert page["example"].keys() == problem.keys()


@pytest.mark.parametrize(("language", "word"), [("en", "## What to do"), ("fr", "## Que faire")])
def test_page_is_readable_as_text(db: None, language: str, word: str) -> None:
    answer = Caller(token=None, language=language).get("/v1/problems/quota_exceeded", Accept="text/plain")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("# quota_exceeded\n")
    assert word in answer.text


def test_page_is_in_french(db: None) -> None:
    page = Caller(token=None, language="fr").get("/v1/problems/resource_busy").body
    assert page["title"] == "Occupé"
    assert page["why"].startswith("Une opération a verrouillé la ressource")
    assert page["example"]["title"] == page["title"]
    assert page["example"]["blocking_operation"] == problem_pages.ANY_ID


def test_unknown_code_is_not_found(db: None) -> None:
    for code in ("nothing", "Internal", "x" * 200):
        answer = Caller(token=None).get(f"/v1/problems/{code}")
        assert answer.problem[:2] == (404, "problem_not_found")


def test_every_code_has_a_page() -> None:
    assert len(problem_pages.codes()) > 150
    for code in problem_pages.codes():
        page = problem_pages.page(code)
        assert page["why"] and page["remedy"], code
        assert page["status"] >= 400
        assert problem_pages.text(code).count("\n## ") == 4


def test_only_internal_errors_are_called_internal() -> None:
    ours = problem_pages.MEANING[CloudError]
    called = {code for code in problem_pages.codes() if problem_pages.page(code)["why"] == str(ours[0])}
    assert all(problem_pages.page(code)["status"] == 500 for code in called)
    assert "internal" in called
    assert called <= REGISTRY.keys()
