"""Checks of networks, for the judge."""

from controlplane.network import port_rules_content as content
from controlplane.network.models import PortRulesDocument
from controlplane.reconcilers.port_rules import due


def port_rules() -> list[str]:
    """Check that the signed port rules say what the rows say, and that each node has the newest ones."""
    known = {(row.zone_id, row.network_id, row.group_id): row for row in PortRulesDocument.objects.all()}
    found = list[str]()
    for key, (_, payload) in content.payloads(dict.fromkeys(content.needed_documents(), 0)).items():
        row = known.get((key.zone, key.network, key.group))
        if row is None or row.digest != content.digest(payload):
            found.append(f"{key} is not signed as the rows are")
    return found + [f"node {node} has an older version of document {document}" for node, document in due()]
