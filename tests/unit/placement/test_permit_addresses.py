"""Permits that were made before they said where network cards are."""

import pytest

from controlplane.placement.core.permit import parse
from controlplane.placement.core.reading import Malformed
from tests.unit.placement.permits_made import PERMIT


def test_a_permit_of_before_can_be_read_and_has_no_addresses() -> None:
    payload = PERMIT.payload()
    assert payload.pop("addresses") == []
    assert parse(payload) == PERMIT
    for malformed in ("a", [7], None):
        with pytest.raises(Malformed, match="addresses"):
            parse(payload | {"addresses": malformed})
