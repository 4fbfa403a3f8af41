"""Documents as JSON: the bytes are those of REST framework's own renderer."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.serializer_helpers import ReturnDict

from andromede_core.documents.messages import Message
from controlplane.kernel.rendering import FastJSONRenderer

MOMENT = datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=UTC)
DOCUMENTS: list[Any] = [
    None,
    {},
    {"id": UUID(int=7), "at": MOMENT, "whole": MOMENT.replace(microsecond=0), "none": None},
    {"there": MOMENT.astimezone(timezone(timedelta(hours=2)))},
    {"text": 'é "quoted" \\ / \n\t\x1f\x7f \U0001f600', "lazy": gettext_lazy("Deletion started.")},
    [1, -1, 2**63, 0.1, 1.5, True, False, Decimal("1.50"), ("a", "b")],
    ReturnDict({"reason": Message("it must be one of {known}.", known="a")}, serializer=cast(Any, None)),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_bytes_equal_those_of_rest_framework(document: Any) -> None:
    assert FastJSONRenderer().render(document) == JSONRenderer().render(document)
