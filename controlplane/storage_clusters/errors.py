from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound


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
