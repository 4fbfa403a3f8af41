"""Images sent to the agents of nodes and of storage clusters, on the queue for transfers."""

from collections.abc import Callable
from functools import partial

from controlplane.catalog import image_store
from controlplane.catalog.models import Image
from controlplane.nodes.errors import NodeRefused, NodeUnreachable
from controlplane.operations import queues
from controlplane.storage_clusters.errors import StorageClusterRefused, StorageClusterUnreachable

# The code of both agents (agents/node/errors.py).
IMAGE_REFUSED = "agent.image_refused"


def ensure_image(ensure: Callable[..., object], image: Image) -> None:
    """Send the image with the agent's call `ensure`, which takes the image's fields and `file`.

    Raises HandOver when the agent does not have it, and this queue does not send images.
    """
    send = partial(ensure, sha256=image.sha256, size_bytes=image.size_bytes or 0, image_format=image.format)
    if queues.may_transfer():
        send(file=image_store.path_of(image.sha256))
    elif not _has_image(send):
        raise queues.HandOver(queues.TRANSFERS)


def _has_image(send: Callable[..., object]) -> bool:
    """Tell if the agent answers at once that it has the image.

    An agent without it refuses a header without bytes; one that is receiving it from another worker does not answer.
    """
    try:
        send(file=None)
    except (NodeUnreachable, StorageClusterUnreachable):
        return False
    except (NodeRefused, StorageClusterRefused) as exc:
        if exc.facts.get("agent_code") != IMAGE_REFUSED:
            raise
        return False
    return True
