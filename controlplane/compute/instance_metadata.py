"""Metadata of instances that change while they run: labels and identity documents.

The signer signs them (signer/instance_metadata.py), a reconciler sends them to the nodes
(reconcilers/instance_metadata.py), and the metadata service of the node lets the guest read them.
"""

from uuid import UUID

from django.db import transaction

from controlplane.compute.models import MetadataDocument
from controlplane.kernel.wakeups import send_wakeup

SIGN = "controlplane.signer.tasks.instance_metadata_requested", "signer"
UPDATE_NODES = "controlplane.reconcilers.tasks.instance_metadata", "periodic"
# The trait of nodes whose agent takes them.
METADATA = "instance-metadata"


def request_metadata() -> None:
    """Request, after the commit, that what changed is signed and sent."""
    transaction.on_commit(lambda: send_wakeup(SIGN), robust=True)


def resend_metadata(instance_id: UUID) -> None:
    """Have the instance's document sent to its node again, which forgets it when it removes the guest."""
    MetadataDocument.objects.filter(instance=instance_id).update(sent_version=0)


def request_update() -> None:
    """Ask the reconciler to send documents to nodes that have older ones; it also runs by itself."""
    send_wakeup(UPDATE_NODES)
