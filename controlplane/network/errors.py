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
    detail = "The network still has {count} ports, of the instances {instances}. Delete those first."


class SubnetInvalid(InvalidRequest):
    code = "network.subnet.invalid"
    detail = "{cidr!r} is not a valid address range: {reason}"


class AddressesExhausted(Conflict):
    code = "network.addresses_exhausted"
    title = "No address left"
    detail = "All addresses of {cidr} are in use. Delete instances or use another network."


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
