from controlplane.kernel.errors import CloudError, Conflict, InvalidRequest, NotFound, Unavailable


class NodeNotFound(NotFound):
    code = "node.not_found"
    detail = "There is no node {name!r}."


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


class NodeRefused(CloudError):
    """The agent answered, and said no; trying the same again would not help."""

    code = "node.refused"
    title = "Refused by the node"
    detail = "The node could not do it: {reason}"


class NodeFailed(Unavailable):
    """The agent answered that it failed now and may succeed later."""

    code = "node.failed"
    title = "Failed on the node"
    detail = "The node could not do it at the moment: {reason}"
