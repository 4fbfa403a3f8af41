"""Revocation of retired nodes: the signer, whose key is needed, puts them on the deny list.

Permits for them, and documents that they show to other nodes, are then void everywhere.
"""

import logging

from controlplane.identity.actor import SYSTEM
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.models import Node

log = logging.getLogger(__name__)


def deny_all() -> int:
    """Add retired nodes that are not on the list yet. Returns how many there were.

    Raises:
        NoKeyset, NoUsableKey, KeyMissing.
    """
    retired = {str(pk) for pk in Node.objects.filter(admin_state="retired").values_list("pk", flat=True)}
    denied = trust_documents.deny_list()
    if new := retired - denied.nodes:
        trust_documents.deny(SYSTEM, signing_keys.denying_key(trust_documents.keyset(), denied), nodes=sorted(new))
        log.info("%d retired nodes added to the deny list", len(new))
    return len(new)
