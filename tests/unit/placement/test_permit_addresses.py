"""Permits that were made before they said where network cards are."""

import pytest

from andromede_core.documents.parsing import Malformed
from andromede_core.permits.permit import parse
from tests.unit.placement.permits_made import PERMIT


def test_permit_without_addresses_is_read() -> None:
    payload = PERMIT.payload()
    assert payload.pop("addresses") == []
    assert parse(payload) == PERMIT
    for malformed in ("a", [7], None):
        with pytest.raises(Malformed, match="addresses"):
            parse(payload | {"addresses": malformed})
