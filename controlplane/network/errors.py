from controlplane.kernel.errors import Conflict, InvalidRequest, NotFound, Unprocessable


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
    detail = "The network still has {count} ports: {ports}. Delete those, or their instances, first."


class SubnetInvalid(InvalidRequest):
    code = "network.subnet.invalid"
    detail = "{cidr!r} is not a valid address range: {reason}"


class SubnetNotFound(NotFound):
    code = "network.subnet.not_found"
    detail = "The network has no subnet {name!r}."


class SubnetNameTaken(Conflict):
    code = "network.subnet.name_taken"
    title = "Name taken"
    detail = "The network already has a subnet named {name!r}."


class SubnetOverlaps(Unprocessable):
    code = "network.subnet.overlaps"
    title = "Overlapping range"
    detail = "{cidr} overlaps the subnet {name!r}, {other}. Choose a range outside it."


class SubnetInUse(Conflict):
    code = "network.subnet.in_use"
    title = "In use"
    detail = (
        "{count} addresses of the subnet are in use, by the ports {ports}. Delete those, or their instances, first."
    )


class TooManySubnets(Unprocessable):
    code = "network.subnet.too_many"
    title = "Too many subnets"
    detail = "A network has at most {limit} subnets. Create another network."


class GatewayInvalid(Unprocessable):
    code = "network.subnet.gateway_invalid"
    detail = "{gateway_ip} cannot be the gateway of {cidr}: choose an address from {first} to {last}."


class ReservedRangeInvalid(Unprocessable):
    code = "network.subnet.reserved_range_invalid"
    detail = "{value!r} is not a range within {cidr}. Write it as first-last, such as {first}-{last}."


class SubnetMissing(Conflict):
    code = "network.subnet.missing"
    title = "No subnet"
    detail = "The network {network!r} has no subnet, so its ports get no address. Create a subnet first."


class AddressesExhausted(Conflict):
    code = "network.addresses_exhausted"
    title = "No address left"
    detail = "All addresses of {cidr} are in use. Delete instances or use another network."


class AllowedAddressInvalid(Unprocessable):
    code = "network.port.allowed_address_invalid"
    title = "Address not allowed"
    detail = "{value!r} cannot be an allowed address: {reason}"


class AddressTaken(Conflict):
    code = "network.address.taken"
    title = "Address taken"
    detail = "{ip} is in use by {holder} {name!r}. Choose another one, or leave it out to get a free one."


class AddressNotUsable(Unprocessable):
    code = "network.address.not_usable"
    title = "Address not usable"
    detail = "No port can have the address {ip}: {reason}"


class AddressesMissing(Unprocessable):
    code = "network.address.missing"
    title = "No address"
    detail = "A port has 1 to {limit} addresses. Add another one, or delete the port."


class PortNotFound(NotFound):
    code = "network.port.not_found"
    detail = "There is no port {name!r} here."


class PortNameTaken(Conflict):
    code = "network.port.name_taken"
    title = "Name taken"
    detail = "The project already has a port named {name!r}."


class PortAttached(Conflict):
    code = "network.port.attached"
    title = "Attached"
    detail = "The port {name!r} is attached to an instance. Detach it first."


class SecurityGroupNotFound(NotFound):
    code = "network.security_group.not_found"
    detail = "There is no security group {name!r} here."


class SecurityGroupNameTaken(Conflict):
    code = "network.security_group.name_taken"
    title = "Name taken"
    detail = "The project already has a security group named {name!r}."


class SecurityGroupInUse(Conflict):
    code = "network.security_group.in_use"
    title = "In use"
    detail = (
        "The security group is in use by {count} ports (of the instances: {instances}), and rules of other groups name "
        "it (groups: {groups}). Take it away from these first."
    )


class SecurityGroupIsDefault(Conflict):
    code = "network.security_group.is_default"
    title = "Default group"
    detail = (
        "The default security group cannot be renamed or deleted, since new ports get it. Change its rules, or name "
        "other groups."
    )


class SecurityGroupRuleNotFound(NotFound):
    code = "network.security_group_rule.not_found"
    detail = "There is no rule {name!r} in this security group."


class SecurityGroupRuleExists(Conflict):
    code = "network.security_group_rule.exists"
    title = "Rule exists"
    detail = "The security group already has this rule, with the id {rule}."


class SecurityGroupRuleInvalid(InvalidRequest):
    code = "network.security_group_rule.invalid"
    detail = "The rule is not valid: {reason}"


class SecurityGroupRulesExhausted(Unprocessable):
    code = "network.security_group.rules_exhausted"
    title = "Too many rules"
    detail = "A security group has at most {limit} rules. Delete rules, or give ports a second group."


class SecurityGroupsTooMany(Unprocessable):
    code = "network.port.security_groups_exhausted"
    title = "Too many security groups"
    detail = "A port has at most {limit} security groups, and {count} are named. Put rules of several groups into one."


class SecurityGroupsUnsupported(Conflict):
    code = "network.port.security_groups_unsupported"
    title = "No security groups there"
    detail = (
        "The node of the instance has an agent of an earlier release, which filters nothing. Ask an operator to "
        "upgrade it, or have the instance migrated."
    )


class ReachabilityEndInvalid(Unprocessable):
    code = "network.reachability.end_invalid"
    title = "Not an end of a question"
    detail = "Reachability cannot be answered for this end: {reason}"


class TopologyTooLarge(Unprocessable):
    code = "network.topology_too_large"
    title = "Too many ports"
    detail = "The network has {count} ports, and its topology shows at most {limit}. List its ports instead."
