from controlplane.kernel.errors import CloudError, Conflict, InvalidRequest, NotFound, Unavailable


class StorageClusterNotFound(NotFound):
    code = "storage_cluster.not_found"
    detail = "There is no storage cluster {name!r}."


class StorageClusterNameTaken(Conflict):
    code = "storage_cluster.name_taken"
    title = "Name taken"
    detail = "There is already a storage cluster named {name!r}."


class StorageClusterAddressInvalid(InvalidRequest):
    code = "storage_cluster.address_invalid"
    title = "Invalid address"
    detail = "{address!r} is not HOST:PORT, where the storage agent listens, such as 10.0.7.21:7447."


class StorageClusterInUse(Conflict):
    code = "storage_cluster.in_use"
    title = "In use"
    detail = "Volumes or root disks are in the pool {pool} of the storage cluster. Delete them first."


class StorageClusterUnreachable(Unavailable):
    code = "storage_cluster.unreachable"
    title = "Storage cluster unreachable"
    detail = "The storage cluster of the disk does not answer. Try again later."


class StorageClusterFailed(Unavailable):
    """The storage agent answered that it failed now and may succeed later, as while its cluster does not answer."""

    code = "storage_cluster.failed"
    title = "Failed in the storage cluster"
    detail = "The call failed in the storage cluster of the disk. Try again later."


class StorageClusterRefused(CloudError):
    """The storage agent answered with a refusal; the same call again would not help."""

    code = "storage_cluster.refused"
    title = "Rejected by the storage cluster"
    detail = "The storage cluster of the disk rejected the call. Ask an operator for the reason, which is in the log."


class StorageAddressUnknown(Conflict):
    code = "storage_cluster.address_unknown"
    title = "Address of the node unknown"
    detail = (
        "The address from which the instance's node reaches storage clusters is not known, so that the node could not "
        "be fenced alone from the volume. Ask an operator to set it: manage.py set_storage_addresses."
    )


class SnapshotCut(Unavailable):
    """The content of a snapshot was not received as it was sent; what was received is thrown away."""

    code = "storage_cluster.snapshot_cut"
    title = "Transfer aborted"
    detail = "The content of the snapshot did not arrive whole. It is read again from its beginning."


class StorageClusterNotTrusting(Unavailable):
    """The storage agent lacks trust documents for the permit; its reconciler sends them again."""

    code = "storage_cluster.not_trusting"
    title = "Storage cluster not up to date"
    detail = "The storage cluster of the disk does not have the documents to check the permit yet."
