"""The CPU that guests of a node have, as one name: where it is the same, a guest that runs can go on.

A guest gets all that its node's CPU can do and that can be moved. What that is, libvirt says for its own model of the
host: the nearest model it knows, and how this CPU differs from it.
"""

import hashlib
from xml.etree import ElementTree

DIGEST_LENGTH = 8
MODEL_LENGTH = 40
HOST_MODEL = "cpu/mode[@name='host-model']"


def name(domain_capabilities: str) -> str:
    """From the XML of libvirt's domain capabilities: the model and a digest of all that the guest sees of it, such as
    "EPYC-Milan-1a2b3c4d"."""
    mode = ElementTree.fromstring(domain_capabilities).find(HOST_MODEL)
    elements = list(mode) if mode is not None else []
    said = sorted(f"{each.tag} {sorted(each.attrib.items())} {(each.text or '').strip()}" for each in elements)
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()[:DIGEST_LENGTH]
    model = next((each.text for each in elements if each.tag == "model" and each.text), "unknown")
    return f"{model[:MODEL_LENGTH]}-{digest}"
