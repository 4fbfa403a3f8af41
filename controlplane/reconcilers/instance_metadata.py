"""Signed metadata of instances are sent to the nodes that have an older version."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models import F

from controlplane.compute.instance_metadata import METADATA
from controlplane.compute.models import MetadataDocument
from controlplane.nodes import agent_client, incidents
from controlplane.nodes.models import Incident, Node
from controlplane.reconcilers.due_documents import send_due

CALL_DOCUMENTS = 64  # of 32 KiB at most: gRPC accepts 4 MiB
REFUSED = "metadata-refused"
PROBLEMS, INSTANCES_NAMED = 5, 5  # incidents of a node at once, and instances that each of them names


def reconcile() -> int:
    """Return how many documents nodes got.

    A document that its node refuses is sent again, and is an incident of the node as long.
    """
    pending = due()
    sent = send_due(pending, _send_documents, what="metadata")
    _end_incidents(but={node_id for node_id, _ in pending})
    return sent


def _end_incidents(*, but: Collection[UUID]) -> None:
    """End the incidents of the nodes for which nothing is due, `but` these; what an unreachable one refuses stays."""
    others = Incident.objects.filter(kind=REFUSED, ended_at=None).exclude(node__in=but)
    for incident in others.exclude(node__state="unreachable").select_related("node"):
        incidents.end(incident.node, REFUSED)


def _send_documents(node: Node, document_ids: Sequence[UUID]) -> int:
    sent, refused = 0, dict[str, list[str]]()
    for start in range(0, len(document_ids), CALL_DOCUMENTS):
        sent += _send(node, document_ids[start : start + CALL_DOCUMENTS], refused)
    problems = sorted(refused)[:PROBLEMS]
    for problem in problems:
        instances = refused[problem]
        incidents.report(node, REFUSED, problem, documents=len(instances), instances=instances[:INSTANCES_NAMED])
    incidents.end(node, REFUSED, but=problems)
    return sent


def due() -> list[tuple[UUID, UUID]]:
    """Return the ids of nodes, each with that of a document that it lacks. A guest that does not run needs none."""
    rows = MetadataDocument.objects.filter(
        sent_version__lt=F("version"),
        instance__state="active",
        instance__node=F("node"),
        node__traits__contains=[METADATA],
    )
    return list(rows.exclude(node__state="unreachable").order_by("updated_at").values_list("node", "pk"))


def _send(node: Node, document_ids: Sequence[UUID], refused: dict[str, list[str]]) -> int:
    """Send the documents. Adds to `refused` the instances of those that the node refuses, by the reason."""
    documents = list(MetadataDocument.objects.filter(pk__in=document_ids))
    state = agent_client.ensure_metadata(node, [bytes(each.document) for each in documents])
    for each in state.refused:
        if each.number < len(documents):
            refused.setdefault(each.problem[:200], []).append(str(documents[each.number].instance_id))
    versions = {each.id: each.version for each in state.documents}
    taken, ahead = [], []
    for document in documents:
        version = versions.get(str(document.instance_id), 0)
        if version > document.version:
            # The database was restored from a backup, so the node has a later version; it accepts one signed anew.
            ahead.append(document.pk)
        elif version:
            document.sent_version = version
            taken.append(document)
    if ahead:
        MetadataDocument.objects.filter(pk__in=ahead).update(key_id="")
    MetadataDocument.objects.bulk_update(taken, ["sent_version"])
    return len(taken)
