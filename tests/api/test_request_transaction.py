"""A write is one transaction: all of it is there, or nothing."""

from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from andromede_core.documents.messages import Message
from controlplane.compute.models import Instance
from controlplane.identity.models import Organization
from controlplane.kernel.errors import Conflict
from controlplane.kernel.fields import NamedOut
from controlplane.kernel.views import View, route
from controlplane.operations.models import Operation
from controlplane.placement.models import Decision
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.test_isolation import routes
from tests.api.test_policy import HOME
from tests.world import Broker, Cloud

# Writes that are no one transaction. This list may only shrink.
APART = {
    "image_upload",
    "openid_sign_in_begin",
    "openid_session_create",
    "openid_link_begin",
    "identity_link",
}


class Lately:
    """Reads the database when it is rendered."""

    def __init__(self) -> None:
        self.was_inside = False

    def __iter__(self) -> Any:
        self.was_inside = connection.in_atomic_block
        yield Organization.objects.get(name="made").name


class Writes(View):
    """Writes, sends, and then ends as `end` says."""

    authentication_classes: Any = []
    permission_classes: Any = []
    end: Any = None

    def _write(self) -> Response:
        created = Organization.objects.create(name="made")
        transaction.on_commit(lambda: SENT.append(created.name), robust=True)
        return self.end(created) if self.end else Response({"id": created.pk, "name": created.name}, status=201)

    @route("test_create", NamedOut, status=201)
    def post(self, request: Request) -> Response:
        return self._write()

    @route("test_replace", NamedOut)
    def put(self, request: Request) -> Response:
        return self._write()

    @route("test_update", NamedOut)
    def patch(self, request: Request) -> Response:
        return self._write()

    @route("test_delete", status=204)
    def delete(self, request: Request) -> Response:
        return self._write()


SENT: list[str] = []
METHODS = ("post", "put", "patch", "delete")


def ask(method: str, **view: Any) -> Any:
    SENT.clear()
    request = getattr(APIRequestFactory(), method)("/v1/made", {}, format="json")
    return Writes.as_view(**view)(request)


def fail(organization: Organization) -> Response:
    raise Conflict(reason=Message("too late"))


def break_down(organization: Organization) -> Response:
    raise ZeroDivisionError


def answer_an_error(organization: Organization) -> Response:
    return Response({}, status=409)


def answer_a_bug(organization: Organization) -> Response:
    return Response({"it": object()})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", METHODS)
def test_successful_write_commits_and_sends_afterwards(method: str) -> None:
    def look(organization: Organization) -> Response:
        assert connection.in_atomic_block
        assert SENT == []
        return Response({"id": organization.pk})

    assert ask(method, end=look).status_code == 200
    assert Organization.objects.filter(name="made").exists()
    assert SENT == ["made"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", [fail, break_down, answer_an_error, answer_a_bug])
def test_failed_write_leaves_no_rows(method: str, end: Any) -> None:
    """However it fails: by an error, by a bug, by its answer, or while its answer is rendered."""
    if end in (break_down, answer_a_bug):
        with pytest.raises((ZeroDivisionError, TypeError)):
            ask(method, end=end)
    else:
        assert ask(method, end=end).status_code == 409
    assert not Organization.objects.exists()
    assert SENT == []


@pytest.mark.django_db(transaction=True)
def test_answer_is_rendered_inside_the_transaction() -> None:
    late = Lately()
    response = ask("post", end=lambda organization: Response(late))
    assert (response.content, late.was_inside) == (b'["made"]', True)
    assert not connection.in_atomic_block


def test_all_writes_are_one_transaction() -> None:
    apart = {each.operation_id: each.own_transactions for each in routes() if each.own_transactions}
    assert apart.keys() == APART
    assert all(len(reason) > 20 for reason in apart.values())


def test_refused_dry_run_keeps_no_decision(api: Caller, volume: Volume) -> None:
    for query, is_kept in (("?dry_run=true", False), ("", True)):
        answer = api.post(f"volumes/data/actions/grow{query}", {"size_gib": 5000})
        assert answer.problem[:2] == (409, "insufficient_capacity")
        assert ("placement_decision" in answer.body) == is_kept
        assert Decision.objects.filter(is_admitted=False).exists() == is_kept


def test_refused_decision_is_kept_and_nothing_else(api: Caller, cloud: Cloud, broker: Broker) -> None:
    body = {"name": "web", "flavor": "tiny", "image": "tiny", "policy_atoms": [HOME | {"value": ["de-rhein-1"]}]}
    answer = api.post("instances", body)
    assert answer.problem[:2] == (422, "policy_unsatisfiable")
    decision = Decision.objects.get(pk=answer.body["placement_decision"])
    assert not decision.is_admitted
    assert api.get(f"decisions/{decision.pk}").status == 200
    assert not Instance.objects.exists()
    assert not Operation.objects.exists()
    assert broker.sent == []
