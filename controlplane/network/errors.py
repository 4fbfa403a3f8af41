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


class MtuNotCarried(Unprocessable):
    code = "network.mtu_not_carried"
    title = "MTU too large"
    detail = (
        "Packets of {mtu} bytes are carried in no zone: the largest MTU is {largest}. Choose a smaller one, or ask an "
        "operator to enlarge the MTU of the underlay."
    )


class MtuTooLarge(Unprocessable):
    code = "network.port.mtu_too_large"
    title = "MTU too large"
    detail = (
        "The network of the port {name!r} has an MTU of {mtu}, and the instance is in {zone}, which carries packets of "
        "{largest} bytes at most. Attach the port to an instance in another zone."
    )


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


class AddressPoolHasNoSubnets(Unprocessable):
    code = "network.address_pool.has_no_subnets"
    title = "Not for subnets"
    detail = "The pool {name!r} gives single addresses, no ranges of subnets. Name a pool with the purpose `subnets`."


class AddressPoolOutOfSubnets(Conflict):
    code = "network.address_pool.out_of_subnets"
    title = "No range left"
    detail = "No /64 of the pool {name!r} is left. Name another pool, or ask an operator to extend it."


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


class DhcpOptionInvalid(Unprocessable):
    code = "network.subnet.dhcp_option_invalid"
    title = "DHCP option not possible"
    detail = "The option cannot be given to guests: this value {reason}."


class DhcpOptionsUnsupported(Conflict):
    code = "network.subnet.dhcp_options_unsupported"
    title = "No DHCP options there"
    detail = (
        "A node of the network has an agent of an earlier release, which gives guests no NTP servers, search domains "
        "or static routes. Ask an operator to upgrade the node."
    )


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


class Ipv4AddressMissing(Unprocessable):
    code = "network.address.ipv4_missing"
    title = "No IPv4 address"
    detail = "A port has at least one IPv4 address. Add one to `addresses`."


class Ipv6Missing(Unprocessable):
    code = "network.subnet.ipv6_missing"
    title = "No IPv6"
    detail = "The subnet {subnets} has no IPv6 range. Give it one first, or name another subnet."


class RoutedElsewhere(Unprocessable):
    code = "network.routed_elsewhere"
    title = "Routed to another zone"
    detail = (
        "The addresses {addresses} are routed to {zone}, and the instance is in {other}. Choose addresses of its zone, "
        "or an instance in {zone}."
    )


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
        "it (groups: {groups}). Remove it from these first."
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


class AddressPoolNotFound(NotFound):
    code = "network.address_pool.not_found"
    detail = "There is no pool of public addresses {name!r} here."


class AddressPoolNameTaken(Conflict):
    code = "network.address_pool.name_taken"
    title = "Name taken"
    detail = "There is already a pool of public addresses named {name!r}."


class AddressPoolInvalid(InvalidRequest):
    code = "network.address_pool.invalid"
    detail = "{value!r} is not valid for a pool of public addresses: {reason}"


class AddressPoolOverlaps(Unprocessable):
    code = "network.address_pool.overlaps"
    title = "Overlapping range"
    detail = "{cidr} overlaps {other} of the pool {name!r}. Choose a range outside it."


class AddressPoolInUse(Conflict):
    code = "network.address_pool.in_use"
    title = "In use"
    detail = "{count} addresses or subnets of the pool are in use: {used}. Their projects must release them first."


class AddressPoolEmpty(Conflict):
    code = "network.address_pool.empty"
    title = "No address left"
    detail = "The pool {name!r} has no free address. Release one, or choose another pool."


class AddressPoolForSubnets(Conflict):
    code = "network.address_pool.for_subnets"
    title = "Pool for subnets"
    detail = "The pool {name!r} gives ranges to subnets, and no single addresses. Choose another pool."


class PublicAddressNotFound(NotFound):
    code = "network.public_address.not_found"
    detail = "There is no public address {name!r} here."


class PublicAddressNameTaken(Conflict):
    code = "network.public_address.name_taken"
    title = "Name taken"
    detail = "The project already has a public address named {name!r}."


class PublicAddressTaken(Conflict):
    code = "network.public_address.taken"
    title = "Address taken"
    detail = "{ip} is reserved already. Choose another address, or leave it out to get a free one."


class PublicAddressOutsidePool(Unprocessable):
    code = "network.public_address.outside_pool"
    title = "Address not in the pool"
    detail = "The pool {pool!r} does not give {ip} to projects. Leave the address out to get a free one."


class ReverseNameInvalid(InvalidRequest):
    code = "network.public_address.ptr_invalid"
    detail = "{value!r} is no host name. Write one such as www.example.org."


class PublicAddressAttached(Conflict):
    code = "network.public_address.attached"
    title = "Attached"
    detail = "The address {ip} is attached to the port {port!r}. {remedy}"


class PublicAddressIsEgress(Conflict):
    code = "network.public_address.egress"
    title = "Attached"
    detail = "The address {ip} is the egress address of the network {network!r}. {remedy}"


class NetworkHasEgress(Conflict):
    code = "network.egress_taken"
    title = "Egress address present"
    detail = "The network {network!r} has the egress address {ip} in the zone {zone}. Detach {ip} first."


class PublicAddressNotAttached(Conflict):
    code = "network.public_address.not_attached"
    title = "Not attached"
    detail = "The address {ip} is attached neither to a port nor to a network."


class PublicAddressTranslated(Conflict):
    code = "network.public_address.translated"
    title = "Address in use"
    detail = "The public address {ip} is translated to {fixed_ip}, so the port must keep it. Detach {ip} first."


class FixedIpTaken(Conflict):
    code = "network.public_address.fixed_ip_taken"
    title = "Already translated"
    detail = "{fixed_ip} of the port already has the public address {ip}. Choose another address of the port."


class FixedIpUnknown(Unprocessable):
    code = "network.public_address.fixed_ip_unknown"
    title = "Not an address of the port"
    detail = "The port {port!r} has no IPv4 address {fixed_ip}. Choose one of: {addresses}."


class AddressModeImpossible(Unprocessable):
    code = "network.public_address.mode_impossible"
    title = "Mode not possible"
    detail = "{reason}"


class PublicAddressesTooMany(Unprocessable):
    code = "network.port.public_addresses_exhausted"
    title = "Too many public addresses"
    detail = "A port has at most {limit} public addresses. Use another port."


class SelectorInvalid(InvalidRequest):
    code = "network.security_group.selector_invalid"
    detail = "The selector is not valid: {reason}"


class SelectorsExhausted(Unprocessable):
    code = "network.security_group.selectors_exhausted"
    title = "Too many selectors"
    detail = (
        "A project has at most {limit} security groups with a selector. Remove one, or name the group at the ports."
    )


class AddressSetNotFound(NotFound):
    code = "network.address_set.not_found"
    detail = "There is no address set {name!r} here."


class AddressSetNameTaken(Conflict):
    code = "network.address_set.name_taken"
    title = "Name taken"
    detail = "The project already has an address set named {name!r}."


class AddressSetInvalid(InvalidRequest):
    code = "network.address_set.invalid"
    detail = "The address set is not valid: {reason}"


class AddressSetInUse(Conflict):
    code = "network.address_set.in_use"
    title = "In use"
    detail = "Rules of the security groups {groups} name the address set. Remove these rules first."


class BandwidthUnsupported(Conflict):
    code = "network.port.bandwidth_unsupported"
    title = "No limits there"
    detail = (
        "The node of the port has an agent of an earlier release, which does not limit bandwidth. Ask an operator to "
        "upgrade it, or have the instance migrated."
    )


class AddressesInUse(Conflict):
    code = "network.port.addresses_in_use"
    title = "Attached"
    detail = (
        "The port {name!r} is attached to an instance, which may use {addresses}. Name these addresses again beside "
        "the new ones, or detach the port first."
    )


class AddressesUnsupported(Conflict):
    code = "network.port.addresses_unsupported"
    title = "No new addresses there"
    detail = (
        "A node of the network has an agent of an earlier release, which gives no new addresses to attached ports. "
        "Detach the port first, or ask an operator to upgrade the node."
    )


class ReachabilityEndInvalid(Unprocessable):
    code = "network.reachability.end_invalid"
    title = "Not an end of a question"
    detail = "Reachability cannot be answered for this end: {reason}"


class TopologyTooLarge(Unprocessable):
    code = "network.topology_too_large"
    title = "Too many ports"
    detail = "The network has {count} ports, and its topology shows at most {limit}. List its ports instead."
