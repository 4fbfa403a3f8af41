"""Permits for nodes that were retired are void everywhere, and so is what such a node says to other nodes: the signer
puts the nodes on the deny list, since only its key may."""

import logging

from controlplane.identity.actor import SYSTEM
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.models import Node

log = logging.getLogger(__name__)


def deny_all() -> int:
    """Those that are not on the list yet. Returns how many there were.

    Raises:
        NoKeyset, NoUsableKey, KeyMissing.
    """
    retired = {str(pk) for pk in Node.objects.filter(duty="retired").values_list("pk", flat=True)}
    denied = trust_documents.deny_list()
    if new := retired - denied.nodes:
        trust_documents.deny(SYSTEM, signing_keys.denying_key(trust_documents.keyset(), denied), nodes=sorted(new))
        log.info("%d retired nodes are on the deny list", len(new))
    return len(new)
