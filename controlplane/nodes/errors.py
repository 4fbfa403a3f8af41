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
    detail = "The node needed for this does not answer. Try again later."


class NodeBusy(NodeUnreachable):
    """Too many calls to the node are running, so no other call waits: it hangs, or is overloaded."""

    code = "node.busy"
    title = "Node busy"
    detail = "The node needed for this is too busy for more calls. Try again later."


class NodeAbandoned(CloudError):
    """An operator decided that no operation waits for the node any more."""

    code = "node.given_up"
    title = "Node abandoned"
    detail = "The node needed for this did not answer for a long time and was abandoned."


class NodeRefused(CloudError):
    """The agent answered with a refusal; the same call again would not help."""

    code = "node.refused"
    title = "Rejected by the node"
    detail = "The node rejected the call: {reason}"


class NodeOutdated(NodeRefused):
    """The agent does not know the call: it is of an older release. It has to be upgraded."""

    code = "node.outdated"
    title = "Node's software too old"
    detail = "The agent of the node needed for this is too old. Ask an operator to upgrade it."


class ImageFileUnreadable(CloudError):
    """The file of an image cannot be read for a node. `cause` is for logs."""

    code = "image.file_unreadable"
    title = "Image file unreadable"
    detail = "The image's file is missing or cannot be read. Use another image, or import this one again."


class NodeFailed(Unavailable):
    """The agent answered that it failed now and may succeed later."""

    code = "node.failed"
    title = "Failed on the node"
    detail = "The call failed on the node: {reason}"


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
    detail = "No keyset is published, so nodes accept no permits. Run manage.py keyset_publish."


class ZoneWithoutKey(Conflict):
    code = "trust.zone_without_key"
    title = "Zone without a key"
    detail = (
        "No remaining key could sign for nodes in {zones}. Give the new key these zones too, or create a key for them "
        "first."
    )


class WitnessesNeeded(InvalidRequest):
    code = "trust.witnesses_needed"
    title = "Two witnesses needed"
    detail = "A charter needs two different witnesses. Name two people who saw the machine."


class NodeNotTrusting(Unavailable):
    """The node lacks trust documents of the control plane; they are sent again."""

    code = "node.not_trusting"
    title = "Node not up to date"
    detail = "The node does not have the documents to check the permit yet: {reason}"


class NodeWrongAdminState(Conflict):
    code = "node.wrong_duty"
    title = "Wrong admin state"
    detail = "The node {node} is {duty}; this needs a node that is {wanted}."


class NodeOutOfService(Conflict):
    """The node is out of service. Tenants see the error, so it names no node."""

    code = "node.away"
    title = "Node out of service"
    detail = (
        "The node is out of service ({duty}), and no operation starts there until that ends. Try again then; stopped "
        "instances stay as they are."
    )


class HeartbeatMissing(Conflict):
    code = "node.not_heard"
    title = "No heartbeat"
    detail = "No heartbeat from the node {node}. Start the node and its agent, then try again."


class NodeNotCleared(Conflict):
    code = "node.not_cleared"
    title = "Cleanup in progress"
    detail = (
        "The node {node} still has {count} resources of guests that now run elsewhere. They are removed automatically "
        "within seconds while the node is reachable; return it to service after that."
    )


class NodeNotRetirable(Conflict):
    code = "node.not_retirable"
    title = "Not empty"
    detail = "The node {node} cannot be retired: {reason}. Migrate or delete what is on it first."


class NodeNotFenceable(Conflict):
    code = "node.not_fenceable"
    title = "Cannot be fenced"
    detail = "The node {node} cannot be fenced: {reason}."


class BmcUnknown(NotFound):
    code = "node.bmc_unknown"
    title = "No BMC"
    detail = "The BMC of the node {node} is not configured. Configure it with PUT /v1/nodes/{node}/bmc."


class BmcUnreachable(Unavailable):
    code = "node.bmc_unreachable"
    title = "BMC unreachable"
    detail = "The BMC of the node cannot be queried: {reason}."


class BmcRefused(CloudError):
    """The BMC refused; the same request again would not help."""

    code = "node.bmc_refused"
    title = "Refused by the BMC"
    detail = "The BMC of the node cannot be used: {reason}."


class PowerNotOff(CloudError):
    code = "node.power_not_off"
    title = "Not switched off"
    detail = "The node's BMC received the command to switch it off, but {reason}. Nothing proves that the node is off."


class OrphanNotFound(NotFound):
    code = "orphan.not_found"
    detail = "There is no orphan {name!r}."


class OrphanWrongState(Conflict):
    code = "orphan.wrong_state"
    title = "Not in that state"
    detail = "The orphan is {state}; this needs an orphan that is {wanted}."


class OrphanForeign(Conflict):
    code = "orphan.foreign"
    title = "Not an image of the platform"
    detail = (
        "The platform did not make the image {name!r} in the pool {pool}, and does not delete it. Remove it with the "
        "command rbd, or release the orphan."
    )


class OrphanNameDiffers(InvalidRequest):
    """The typed name is another one than the orphan's; it guards against discarding the wrong one."""

    code = "orphan.name_differs"
    title = "Name does not match"
    detail = "The name does not match. Enter {name} to confirm that it is to be destroyed."
