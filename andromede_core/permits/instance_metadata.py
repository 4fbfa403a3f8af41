"""Metadata of an instance that change while it runs: its labels and its identity document. Standard library only.

A permit key of the zone signs them for one node, which hands them to that guest alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from andromede_core.documents.labels import LABEL_KEY, LABEL_VALUE, LABELS_MAX
from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_count, as_object, as_text, refuse
from andromede_core.permits.network_values import as_id
from andromede_core.permits.trust_documents import MAX_VERSION

KIND = "instance-metadata"  # of the signed document
FIELDS = ("zone", "node", "instance", "version", "labels", "identity")
IDENTITY_MAX = 4096
IDENTITY = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # a JWS in its compact form (RFC 7515, 7.1)


@dataclass(frozen=True, slots=True)
class InstanceMetadata:
    """The payload. `instance`, `node`: ids. Only growing versions of the same instance count.

    `identity`: the identity document, a JWT that the control plane signed for third parties; the node does not read it.
    """

    zone: str
    node: str
    instance: str
    version: int
    identity: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> dict[str, object]:
        return {
            "zone": self.zone,
            "node": self.node,
            "instance": self.instance,
            "version": self.version,
            "labels": {key: self.labels[key] for key in sorted(self.labels)},
            "identity": self.identity,
        }


def parse(payload: object) -> InstanceMetadata:
    """Parse the payload.

    Raises:
        Malformed: with the field.
    """
    body = as_object(payload, KIND, required=FIELDS)
    identity = as_text(body["identity"], f"{KIND}.identity", limit=IDENTITY_MAX)
    if not IDENTITY.fullmatch(identity):
        refuse(f"{KIND}.identity", Message("must be a JWT"))
    return InstanceMetadata(
        zone=as_text(body["zone"], f"{KIND}.zone"),
        node=as_id(body["node"], f"{KIND}.node"),
        instance=as_id(body["instance"], f"{KIND}.instance"),
        version=as_count(body["version"], f"{KIND}.version", minimum=1, maximum=MAX_VERSION),
        identity=identity,
        labels=_labels(body["labels"]),
    )


def _labels(value: object) -> dict[str, str]:
    at = f"{KIND}.labels"
    body = as_object(value, at, optional=None)
    if len(body) > LABELS_MAX:
        refuse(at, Message("must have at most {limit} entries", limit=LABELS_MAX))
    labels = {}
    for key, text in body.items():
        if not LABEL_KEY.fullmatch(key) or not isinstance(text, str) or not LABEL_VALUE.fullmatch(text):
            refuse(at, Message("must have keys and values of up to 63 letters, digits and - _ . /"))
        labels[key] = text
    return labels
