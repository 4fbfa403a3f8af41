"""Refusals of the signer as a sentence of the worker, in English and in French."""

import pytest
from django.utils import translation

from andromede_core.documents.messages import Message
from controlplane.events.models import Event
from controlplane.kernel import error_messages
from controlplane.kernel.errors import CloudError
from controlplane.nodes import trust_documents
from controlplane.signer.errors import NodeNotCleared, PermitOutdated
from tests.services.signer.conftest import Waiting
from tests.world import run_next_attempt

ENGLISH = "The node may not hold data with these classifications: it has no charter that holds now."


def test_refusal_has_a_readable_text_everywhere(waiting: Waiting) -> None:
    trust_documents.TrustDocument.objects.filter(kind="charter").delete()
    assert waiting.refused() == NodeNotCleared.code
    operation = run_next_attempt(waiting.operation)
    assert operation.state == "failed"
    assert (operation.error["code"], operation.error["detail"]) == (NodeNotCleared.code, ENGLISH)
    ended = Event.objects.filter(operation_id=operation.pk).latest("created_at")
    assert "template" not in str(error_messages.describe_document(operation.error)) and "template" not in str(
        ended.data
    )
    with translation.override("fr"):
        french = str(error_messages.describe_document(operation.error)["detail"])
    assert french.endswith(": elle n’a pas de charte en vigueur.") and "charter" not in french


def refusal(error: CloudError) -> CloudError:
    """After it was written into a row and read from it."""
    document = error.as_document()
    return error_messages.error_from_document(document)


def test_nested_reasons_are_restored() -> None:
    inner = Message("its charter is for the zone {zone}.", zone="de-rhein-1")
    error = refusal(PermitOutdated(reason=Message("{error}.", error=inner)))
    assert type(error) is PermitOutdated
    assert str(error) == str(PermitOutdated(reason="its charter is for the zone de-rhein-1.."))
    with translation.override("fr"):
        assert "de-rhein-1" in str(error_messages.describe(type(error), error.facts)["detail"])
        assert "its charter" not in str(error_messages.describe(type(error), error.facts)["detail"])
    assert error.as_document() == PermitOutdated(reason=Message("{error}.", error=inner)).as_document()


@pytest.mark.parametrize(
    "document", [{}, {"code": "permit.of_tomorrow", "facts": {"a": 1}}, {"code": "permit.outdated"}]
)
def test_unknown_error_code_is_a_generic_error(document: dict[str, object]) -> None:
    error = error_messages.error_from_document(document)
    assert type(error) is CloudError and str(error) == CloudError.detail
