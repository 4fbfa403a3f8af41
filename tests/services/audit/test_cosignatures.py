"""The verifier finds actions without the cosignature of a sentinel where one is required."""

from collections.abc import Callable

import pytest

from controlplane.identity.models import Organization
from tests.services.audit.exports import Export, verdict
from tests.services.audit.sample_evidence import DocumentSigner, SampleEvidence, make_sample_evidence

Write = Callable[..., Export]
SENTINEL = DocumentSigner("sentinel-1")


@pytest.fixture
def write(exporter: Write) -> Write:
    return exporter


@pytest.fixture
def story(organization: Organization) -> SampleEvidence:
    """From now on all data needs a sentinel."""
    result = make_sample_evidence(organization.pk)
    result.publish(2, result.signer, sentinels=(SENTINEL,))
    return result


def fault(write: Write) -> str:
    result = verdict(write().path)
    assert (result.status, len(result.faults)) == (1, 1), result.out
    return result.faults[0]


def test_cosigned_and_unused_permits_are_no_faults(story: SampleEvidence, write: Write) -> None:
    permit = story.permit(story.decide())
    story.cosign(permit, SENTINEL)
    story.receipt(permit)
    story.permit(story.decide())
    result = verdict(write().path)
    assert result.status == 0, result.out
    assert "1 cosignature" in result.out


def test_receipt_under_an_uncosigned_permit_is_found(story: SampleEvidence, write: Write) -> None:
    story.create()
    assert "its permit lacks the signature of a sentinel for *" in fault(write)


def test_cosignature_by_another_key_does_not_count(story: SampleEvidence, write: Write) -> None:
    permit = story.permit(story.decide())
    story.cosign(permit, story.signer)
    assert "is no sentinel's for fr-idf-1" in fault(write)


def test_cosignature_without_its_permit_in_the_log_is_found(story: SampleEvidence, write: Write) -> None:
    permit = story.permit(story.decide())
    story.signer = DocumentSigner("signer-1")
    story.cosign(permit, SENTINEL)
    assert "it is under no permit that was recorded" in fault(write)
