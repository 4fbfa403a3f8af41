"""Name of the CPU model of a node's guests: a running guest can migrate between nodes with the same name.

A guest gets all features of its node's CPU that can be migrated. libvirt describes them by its model of the host: the
nearest model it knows, and the differences of this CPU.
"""

import hashlib
from xml.etree import ElementTree

DIGEST_LENGTH = 8
MODEL_LENGTH = 40
HOST_MODEL = "cpu/mode[@name='host-model']"


def name(domain_capabilities: str) -> str:
    """Return the name from the XML of libvirt's domain capabilities.

    The name is the model and a digest of everything that the guest sees of it, such as "EPYC-Milan-1a2b3c4d".
    """
    mode = ElementTree.fromstring(domain_capabilities).find(HOST_MODEL)
    elements = list(mode) if mode is not None else []
    features = sorted(f"{each.tag} {sorted(each.attrib.items())} {(each.text or '').strip()}" for each in elements)
    digest = hashlib.sha256("\n".join(features).encode()).hexdigest()[:DIGEST_LENGTH]
    model = next((each.text for each in elements if each.tag == "model" and each.text), "unknown")
    return f"{model[:MODEL_LENGTH]}-{digest}"
