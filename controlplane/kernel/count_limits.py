"""Maximum numbers of rows per parent: settings.COUNTS_MAX.

An organization pays for a quota and may have it raised; these maxima are far above any real need, and keep a caller
from filling the database.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from andromede_core.documents.messages import Message
from controlplane.kernel.errors import Conflict

WHAT: Mapping[str, Message] = {
    "projects": Message("projects in an organization"),
    "service_accounts": Message("service accounts in an organization"),
    "invitations": Message("pending invitations of an organization"),
    "newcomers": Message("invited users of an organization who have never signed in"),
    "classifications": Message("classifications of an organization"),
    "proposals": Message("pending proposals in an organization"),
    "exemptions": Message("current exemptions of a project"),
    "ssh_keys": Message("SSH keys in a project"),
    "affinity_groups": Message("affinity groups in a project"),
}


class CountExhausted(Conflict):
    code = "count_exhausted"
    title = "Limit reached"
    detail = "The limit of {limit} {what} is reached. Remove those that are no longer needed."


def require_below_limit(kind: str, rows: QuerySet[Any]) -> None:
    """Check that the existing `rows` are below the limit.

    Concurrent callers do not wait for one another, and may together exceed it by a few rows.

    Raises:
        CountExhausted
    """
    limit = settings.COUNTS_MAX[kind]
    if len(rows.order_by().values_list("pk", flat=True)[:limit]) >= limit:
        raise CountExhausted(limit=limit, what=WHAT[kind])
