"""An idle stream: between news it only looks whether its reader is who it was, and may what it could."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from controlplane.api.stream import Reader, is_still_valid
from controlplane.api.v1.events.views import StreamChunk, StreamSubscription
from controlplane.events.selectors import EventFilter
from controlplane.events.services import publish_event
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.models import ApiToken, Membership, ServiceAccount, User
from controlplane.identity.service_accounts import service_account_create
from controlplane.identity.services import membership_set, project_create, project_delete
from controlplane.identity.tokens import NewToken, account_token_create, token_issue
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.stream.conftest import Process, following
from tests.world import Tenant, make_tenant

Queries = Callable[[int], AbstractContextManager[object]]
SOON = timedelta(days=1)


def everywhere(tenant: Tenant) -> str:
    """A token that is good wherever the tenant's user has a role."""
    user = User.objects.get(pk=tenant.actor.user_id)
    return token_issue(user, project=None, name="everywhere", role="", lifetime=SOON)[1]


def of_account(tenant: Tenant) -> str:
    """A service account's token."""
    organization = tenant.project.organization
    owner = Actor(None, None, None, "owner", organization_id=organization.pk)
    account = service_account_create(owner, organization, name="ci", grants={tenant.project: "member"})
    return account_token_create(owner, account, NewToken("ci", "", SOON))[1]


def scope_of(token: str, query: str = "") -> dict[str, object]:
    """The same request as the test client's, as the process gets it."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/events/stream",
        "query_string": query.encode(),
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }


@pytest.mark.parametrize(
    ("make", "query", "statements"),
    [(lambda tenant: "alpha", "", 1), (everywhere, "", 3), (everywhere, "project=alpha", 3), (of_account, "", 3)],
)
def test_validity_check_takes_few_statements(
    db: None, django_assert_num_queries: Queries, make: Callable[[Tenant], str], query: str, statements: int
) -> None:
    token = make(make_tenant())
    headers = {"Authorization": f"Bearer {token}"}
    subscription = Client().get(f"/v1/events/stream?{query}", headers=headers).subscription  # type: ignore[attr-defined]
    with django_assert_num_queries(statements):
        assert is_still_valid(subscription, scope_of(token, query))
    ApiToken.objects.update(expires_at=clock.now())
    assert not is_still_valid(subscription, scope_of(token, query))


def test_changed_role_invalidates_the_subscription(db: None) -> None:
    token = everywhere(make_tenant())
    subscription = Client().get("/v1/events/stream", headers={"Authorization": f"Bearer {token}"}).subscription  # type: ignore[attr-defined]
    Membership.objects.update(role="viewer")
    assert not is_still_valid(subscription, scope_of(token))


def test_a_disabled_service_account_ends_its_streams(stream: Process, tenant: Tenant) -> None:
    with following(stream, of_account(tenant)) as follower:
        follower.is_ready()
        ServiceAccount.objects.update(disabled_at=clock.now())
        assert follower.event()["code"] == "identity.service_account.disabled"
        assert follower.frame() is None


@pytest.mark.parametrize(
    ("make", "query", "code"),
    [
        (lambda tenant: "alpha", {}, "unauthenticated"),
        (everywhere, {"project": "alpha"}, "identity.project.not_found"),
    ],
)
def test_a_deleted_project_ends_its_streams(
    stream: Process, tenant: Tenant, make: Callable[[Tenant], str], query: dict[str, str], code: str
) -> None:
    with following(stream, make(tenant), **query) as follower:
        follower.is_ready()
        project_delete(SYSTEM, tenant.project)
        while (frame := follower.frame()) is not None and frame.get("event") != "end":
            pass
        assert frame is not None
        assert code in frame["data"]


def test_new_member_receives_events_of_the_organization(stream: Process, tenant: Tenant) -> None:
    beta = make_tenant("beta").project
    user = User.objects.get(pk=tenant.actor.user_id)
    with following(stream, everywhere(tenant)) as follower:
        follower.is_ready()
        membership_set(beta.organization, user=user, role="viewer")
        publish_event(None, "ssh_key.created", new_id(), project_id=beta.pk, name="of-beta")
        assert follower.event()["resource"]["name"] == "of-beta"


def test_events_during_a_scope_change_are_reread(tenant: Tenant) -> None:
    """Such an event was filtered by the old scope, and is behind the position of the reader."""

    def lines(*more: UUID) -> StreamChunk:
        stream_chunk = StreamChunk(b"")
        stream_chunk.position, stream_chunk.has_more = 1, False
        stream_chunk.subscription = StreamSubscription(
            tenant.actor, True, EventFilter(), frozenset({tenant.project.pk, *more})
        )
        return stream_chunk

    reader, beta = Reader(lines()), new_id()
    for answer, is_looking in ((lines(), False), (lines(beta), True), (lines(beta), False)):
        reader.wake.clear()
        reader.apply(answer)
        assert reader.wake.is_set() == is_looking


def test_events_of_a_new_project_are_received(stream: Process, tenant: Tenant) -> None:
    with following(stream, everywhere(tenant)) as follower:
        follower.is_ready()
        created = project_create(tenant.project.organization, name="late")
        publish_event(None, "ssh_key.created", new_id(), project_id=created.pk, name="of-late")
        assert follower.event()["resource"]["name"] == "of-late"
