"""ETag and If-Match: who changes something on the strength of what they have read is told when it is not so any more.

A version is the `generation`, which grows with every change that somebody has to carry out, and a digest of what may be
edited without one: name and labels. What a resource does by itself, such as becoming active, makes no new version.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Model
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
    """The ETag of a version. `edited`: by name; what is no part of EDITED does not count."""
    text = json.dumps([edited.get(name) for name in EDITED], sort_keys=True)
    return f'"{generation}.{hashlib.sha256(text.encode()).hexdigest()[:12]}"'


def add_etag(answer: Response) -> None:
    """Name the version of what is answered, if it has one."""
    document = answer.data
    if isinstance(document, Mapping) and isinstance(document.get("generation"), int):
        answer.headers.setdefault("ETag", etag_of(document["generation"], document))


def require_version(request: Request, row: Model | None) -> None:
    """Keep the row as it is until the transaction ends, if the request is made for the version that it is.

    Raises:
        NotVersioned: there is no row that has one.
        Outdated: it is another one.
    """
    if row is None:
        raise NotVersioned()
    fresh: Any = type(row)._default_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
    if fresh is None:
        return  # the handler finds that out too
    current = etag_of(fresh.generation, vars(fresh))
    if current not in [name.strip() for name in request.headers[HEADER].split(",")]:
        raise Outdated(current=current)


def is_conditional(request: Request) -> bool:
    """Whether it is made for one version. An asterisk is any that is there."""
    return request.headers.get(HEADER, "*").strip() not in ("", "*")
