from controlplane.kernel.errors import CloudError, Conflict, InvalidRequest, NotFound, Unavailable


class NodeNotFound(NotFound):
    code = "node.not_found"
    detail = "There is no node {name!r}."


class PoolNotFound(NotFound):
    code = "pool.not_found"
    detail = "There is no pool {name!r}."


class NodeNameTaken(Conflict):
    code = "node.name_taken"
    title = "Name taken"
    detail = "There is already a node named {name!r}."


class CertificateRequestInvalid(InvalidRequest):
    code = "node.certificate_request_invalid"
    detail = "The certificate request cannot be signed: {reason}"


class NodeUnreachable(Unavailable):
    code = "node.unreachable"
    title = "Node unreachable"
    detail = "The node that this needs does not answer at the moment."


class NodeBusy(NodeUnreachable):
    """Too many calls to the node are running, so no other call waits: it hangs, or is overloaded."""

    code = "node.busy"
    title = "Node busy"
    detail = "The node that this needs is too busy to take more at the moment."


class NodeAbandoned(CloudError):
    """An operator decided that no operation waits for the node any more."""

    code = "node.given_up"
    title = "Node given up"
    detail = "The node that this needs has not answered for long, and was given up."


class NodeRefused(CloudError):
    """The agent answered with a refusal; the same call again would not help."""

    code = "node.refused"
    title = "Refused by the node"
    detail = "The node could not do it: {reason}"


class NodeOutdated(NodeRefused):
    """The agent does not know the call: it is of an older release. It has to be upgraded."""

    code = "node.outdated"
    title = "Node's software too old"
    detail = "The software of the node that this needs is too old for it."


class ImageFileUnreadable(CloudError):
    """The file of an image cannot be read for a node. `cause` is for logs."""

    code = "image.file_unreadable"
    title = "Image file unreadable"
    detail = "The image's file is missing or cannot be read. Use another image, or import this one again."


class NodeFailed(Unavailable):
    """The agent answered that it failed now and may succeed later."""

    code = "node.failed"
    title = "Failed on the node"
    detail = "The node could not do it at the moment: {reason}"


class KeyMissing(Unavailable):
    code = "trust.key_missing"
    title = "No key"
    detail = "The key cannot be used: {reason}"


class NoUsableKey(Unavailable):
    code = "trust.no_usable_key"
    title = "No usable key"
    detail = "No key here may sign for the zone {zone} and the classifications {classifications} at this time."


class NoKeyset(Unavailable):
    code = "trust.no_keyset"
    title = "No keyset"
    detail = "No keyset was published yet: nodes trust nobody. Run manage.py keyset_publish."


class ZoneWithoutKey(Conflict):
    code = "trust.zone_without_key"
    title = "Zone without a key"
    detail = (
        "No key would be left that may sign for nodes in {zones}. Give the new key these zones too, "
        "or make a key for them first."
    )


class WitnessesNeeded(InvalidRequest):
    code = "trust.witnesses_needed"
    title = "Two witnesses needed"
    detail = "A charter says where two people saw the machine: name two different ones."


class NodeNotTrusting(Unavailable):
    """The node lacks trust documents of the control plane; they are sent again."""

    code = "node.not_trusting"
    title = "Node not up to date"
    detail = "The node does not know yet what it needs to check the permit: {reason}"


class NodeWrongAdminState(Conflict):
    code = "node.wrong_duty"
    title = "Not in that duty"
    detail = "The node {node} is {duty}; this needs a node that is {wanted}."


class NodeOutOfService(Conflict):
    """The node is out of service. Tenants see the error, so it names no node."""

    code = "node.away"
    title = "Its machine is being serviced"
    detail = (
        "The machine that carries it is being serviced ({duty}), and nothing is begun there until that is over. "
        "Try again then; what is off stays as it is."
    )


class HeartbeatMissing(Conflict):
    code = "node.not_heard"
    title = "Not heard"
    detail = "The node {node} is not heard, so nobody knows that it works. Start it and its agent, and try again."


class NodeNotCleared(Conflict):
    code = "node.not_cleared"
    title = "Not cleared yet"
    detail = (
        "The node {node} still has {count} things of guests that run elsewhere by now. They are removed from it by "
        "themselves within seconds while it is heard; then it can be returned to service."
    )


class NodeNotRetirable(Conflict):
    code = "node.not_retirable"
    title = "Not empty"
    detail = "The node {node} cannot be retired: {reason}. Move or delete what is there first."


class NodeNotFenceable(Conflict):
    code = "node.not_fenceable"
    title = "Cannot be fenced"
    detail = "The node {node} cannot be called fenced: {reason}."


class BmcUnknown(NotFound):
    code = "node.bmc_unknown"
    title = "No BMC"
    detail = "Nobody has said how the BMC of the node {node} is reached. Do it with PUT /v1/nodes/{node}/bmc."


class BmcUnreachable(Unavailable):
    code = "node.bmc_unreachable"
    title = "BMC unreachable"
    detail = "The BMC of the node cannot be asked at the moment: {reason}."


class BmcRefused(CloudError):
    """The BMC refused; the same request again would not help."""

    code = "node.bmc_refused"
    title = "Refused by the BMC"
    detail = "The BMC of the node cannot be used: {reason}."


class PowerNotOff(CloudError):
    code = "node.power_not_off"
    title = "Not switched off"
    detail = "The node's BMC was told to switch it off, but {reason}. Nothing proves that the node is off."


class OrphanNotFound(NotFound):
    code = "orphan.not_found"
    detail = "There is no finding {name!r}."


class OrphanWrongState(Conflict):
    code = "orphan.wrong_state"
    title = "Not in that state"
    detail = "It is {state}; this needs something that is {wanted}."


class OrphanNameDiffers(InvalidRequest):
    """The typed name is another one than the orphan's; it guards against discarding the wrong one."""

    code = "orphan.name_differs"
    title = "Another name"
    detail = "What is to be destroyed is called {name}. Write exactly that."
