"""One signature has one text."""

import base64

import pytest

from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps
from andromede_core.documents.signed import BadDocument

CANONICAL = base64.b64encode(b"\x01").decode()


def test_the_canonical_text_is_read() -> None:
    assert signed.read(dumps({"p": {}, "kid": "k", "sig": CANONICAL})).signature == b"\x01"


@pytest.mark.parametrize("text", ["AR==", "AQ=", "AQ", "AQ==\n", "A=Q="])
def test_another_text_of_the_same_bytes_is_refused(text: str) -> None:
    assert text != CANONICAL
    with pytest.raises(BadDocument, match="MALFORMED"):
        signed.read(dumps({"p": {}, "kid": "k", "sig": text}))
