"""Identity and rights of the caller, by credential."""

from datetime import datetime
from typing import Any

from django.db.models import Q

from controlplane.identity.actor import Actor
from controlplane.identity.models import ApiToken, Organization, Project, ServiceAccount, User
from controlplane.identity.roles import PLATFORM


def describe(actor: Actor, *, session_ends: datetime | None = None) -> dict[str, Any]:
    token = ApiToken.objects.filter(Q(pk=actor.credential_id)).first()
    own = {actor.organization_id: actor.role} if actor.organization_id is not None else {}
    roles = {**own, **actor.memberships}
    return {
        "user": User.objects.filter(Q(pk=actor.user_id)).first(),
        "service_account": ServiceAccount.objects.filter(Q(pk=actor.service_account_id)).first(),
        "duty": actor.role if actor.role in PLATFORM else "",
        "credential": {
            "id": actor.credential_id,
            "kind": "token" if token is not None else "session",
            "name": token.name if token is not None else "",
            "expires_at": token.expires_at if token is not None else session_ends,
        },
        "project": Project.objects.filter(Q(pk=actor.project_id)).first(),
        "memberships": [
            {"organization": organization, "role": roles[organization.pk]}
            for organization in Organization.objects.filter(pk__in=roles).order_by("name")
        ],
        "grants": [
            {"project": project, "role": actor.grants[project.pk]}
            for project in Project.objects.filter(pk__in=actor.grants).order_by("name")
        ],
        "scope": {
            "verbs": _listed(actor.scope.verbs),
            "kinds": _listed(actor.scope.kinds),
            "projects": _listed(actor.scope.project_ids),
        },
    }


def _listed(limit: frozenset[Any] | None) -> list[Any] | None:
    return None if limit is None else sorted(limit, key=str)
