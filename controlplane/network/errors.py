from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound


class NetworkNotFound(NotFound):
    code = "network.not_found"
    detail = "There is no network {name!r} here."


class NetworkNameTaken(Conflict):
    code = "network.name_taken"
    title = "Name taken"
    detail = "The project already has a network named {name!r}."


class NetworkInUse(Conflict):
    code = "network.in_use"
    title = "In use"
    detail = "The network still has {count} ports, of the instances {instances}. Delete those first."


class SubnetInvalid(InvalidRequest):
    code = "network.subnet.invalid"
    detail = "{cidr!r} is not a valid address range: {reason}"


class AddressesExhausted(Conflict):
    code = "network.addresses_exhausted"
    title = "No address left"
    detail = "All addresses of {cidr} are in use. Delete instances or use another network."
