"""ETag and If-Match: a client that changes a resource learns when the resource has changed since it was read.

A version consists of the `generation`, which grows with every change that an operation carries out, and a digest of
what is edited without one: name and labels. A change by the platform, such as a transition to active, makes no new
version.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.kernel.errors import Outdated

HEADER = "If-Match"
EDITED = ("name", "labels")


class NotVersioned(Outdated):
    code = "not_versioned"
    title = "No versions"
    detail = "This resource has no versions, and its GET sends no ETag. Leave If-Match out."


def etag_of(generation: int, edited: Mapping[str, Any]) -> str:
    """Return the ETag of a version. `edited`: fields by name; only those in EDITED count."""
    text = json.dumps([edited.get(name) for name in EDITED], sort_keys=True)
    return f'"{generation}.{hashlib.sha256(text.encode()).hexdigest()[:12]}"'


def add_etag(answer: Response) -> None:
    """Add the ETag of the resource in the response, if the resource has versions."""
    document = answer.data
    if isinstance(document, Mapping) and isinstance(document.get("generation"), int):
        answer.headers.setdefault("ETag", etag_of(document["generation"], document))


def require_version(request: Request, row: Model | None) -> None:
    """Lock the row until the end of the transaction, if the request names its current version.

    Raises:
        NotVersioned: the resource has no versions.
        Outdated: the resource has another version.
    """
    if row is None:
        raise NotVersioned()
    fresh: Any = type(row)._default_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
    if fresh is None:
        return  # the handler raises the error
    current = etag_of(fresh.generation, vars(fresh))
    if current not in [name.strip() for name in request.headers[HEADER].split(",")]:
        raise Outdated(current=current)


def is_conditional(request: Request) -> bool:
    """Return True for a request for one version. If-Match with an asterisk accepts any existing version."""
    return request.headers.get(HEADER, "*").strip() not in ("", "*")


def etag_of_content(content: bytes) -> str:
    """Return the ETag of a response that is its whole content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_held(request: Request, etag: str) -> bool:
    """Tell if the client has the version already, by If-None-Match (RFC 9110, 13.1.2)."""
    held = parse_etags(request.headers.get("If-None-Match", ""))
    return held == ["*"] or etag in [name.removeprefix("W/") for name in held]
