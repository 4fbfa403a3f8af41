"""Context of every template."""

from typing import Any

from django.http import HttpRequest

from controlplane.kernel import clock


def always(request: HttpRequest) -> dict[str, Any]:
    return {"now": clock.now().isoformat()}
