"""Permits that were made before they said where network cards are."""

import pytest

from andromede_core.documents.parsing import Malformed
from andromede_core.permits.permit import parse
from tests.unit.placement.permits_made import PERMIT


def test_a_permit_of_before_can_be_read_and_has_no_addresses() -> None:
    payload = PERMIT.payload()
    assert payload.pop("addresses") == []
    assert parse(payload) == PERMIT
    for malformed in ("a", [7], None):
        with pytest.raises(Malformed, match="addresses"):
            parse(payload | {"addresses": malformed})
