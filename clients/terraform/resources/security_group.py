"""andromede_security_group and andromede_security_group_rule."""

from clients.terraform.cloud import Document, project_path
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, one_of, refer
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Plan
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, IdentityAttribute, Schema, set_of
from clients.terraform.runtime.values import Values, is_known

ANEW = "A change makes a new rule."


class SecurityGroupResource(ApiResource):
    name, kind, noun = "security_group", "security-groups", "security group"
    sent = ("name", "description", "selector", "labels")
    patched = ("name", "description", "selector", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "description": Attribute(type=STRING, description="Purpose, for other users.", default=""),
            "selector": Attribute(
                type=STRING,
                description="A selector of labels, such as `env=prod,tier!=web,app in (a,b)`. The ports that it "
                "selects, by the labels of their instance and their own, are in the group too.",
                default="",
            ),
            "labels": LABELS,
            "created_at": CREATED_AT,
        },
        "A group of rules for the traffic of instances. It has no rules at first: everything is blocked. It can be "
        "deleted once no instance is in it and no rule of another group names it.",
    )

    def values(self, document: Document, like: Values) -> Values:
        own = {name: document[name] for name in ("description", "selector")}
        return super().values(document, like) | own


def _number(text: str) -> Attribute:
    return Attribute(type=NUMBER, description=f"{text} {ANEW}", optional=True, replace=True)


class SecurityGroupRuleResource(ApiResource):
    name, kind, noun = "security_group_rule", "security-groups", "security group rule"
    sent = (
        *("direction", "family", "protocol", "first_port", "last_port", "icmp_type", "icmp_code", "cidrs"),
        *("peer_group", "address_set", "is_logged", "description"),
    )
    patched = ()
    is_listed = False
    identity = {
        "id": IdentityAttribute("The id."),
        "security_group": IdentityAttribute("The id of the security group."),
        "project": IdentityAttribute("The project; the provider's when not given.", is_required=False),
    }
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "security_group": Attribute(
                type=STRING, description=f"The id or name of the group. {ANEW}", required=True, replace=True
            ),
            "direction": Attribute(
                type=STRING,
                description=f"`in` or `out`, seen from the instance. {ANEW}",
                required=True,
                replace=True,
                checks=(one_of("in", "out"),),
            ),
            "family": Attribute(
                type=STRING,
                description="`ipv4` or `ipv6`. When not given, that of the ranges or of the protocol, or `ipv4`. "
                f"{ANEW}",
                optional=True,
                computed=True,
                replace=True,
                checks=(one_of("ipv4", "ipv6"),),
            ),
            "protocol": Attribute(
                type=STRING,
                description=f"`any`, `tcp`, `udp`, `icmp` or `icmpv6`. {ANEW}",
                default="any",
                replace=True,
                checks=(one_of("any", "tcp", "udp", "icmp", "icmpv6"),),
            ),
            "first_port": _number("The first port of tcp or udp; all when not given."),
            "last_port": Attribute(
                type=NUMBER,
                description=f"The last port; `first_port` when not given. {ANEW}",
                optional=True,
                computed=True,
                replace=True,
            ),
            "icmp_type": _number("The type of icmp or icmpv6; all when not given."),
            "icmp_code": _number("The code of `icmp_type`; all when not given."),
            "cidrs": Attribute(
                type=set_of(STRING),
                description=f"The ranges of the other side; any address when neither these nor a group or set are "
                f"given. {ANEW}",
                optional=True,
                replace=True,
            ),
            "peer_group": Attribute(
                type=STRING,
                description=f"The id or name of the group that the other side is in. {ANEW}",
                optional=True,
                replace=True,
            ),
            "address_set": Attribute(
                type=STRING,
                description=f"The id or name of the address set that the other side is in: of its ranges those of the "
                f"rule's family. {ANEW}",
                optional=True,
                replace=True,
            ),
            "is_logged": Attribute(
                type=BOOL, description=f"The node logs new connections. {ANEW}", default=False, replace=True
            ),
            "description": Attribute(
                type=STRING, description=f"Purpose, for other users. {ANEW}", default="", replace=True
            ),
            "created_at": CREATED_AT,
        },
        "Traffic that the instances of a security group may receive or send. Replies are always allowed.",
    )

    def collection(self, values: Values) -> str:
        return project_path(self.parent_of(values), "security-groups", values["security_group"], "rules")

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None:
            groups = project_path(self.parent_of(plan.prior), "security-groups")
            self.keep_same(plan, "security_group", groups)
            self.keep_same(plan, "peer_group", groups)
            self.keep_same(plan, "address_set", project_path(self.parent_of(plan.prior), "address-sets"))

    def values(self, document: Document, like: Values) -> Values:
        peer = refer(like.get("peer_group"), document["peer_group"])
        of_set = refer(like.get("address_set"), document["address_set"])
        own = {"peer_group": peer, "address_set": of_set, "description": document["description"]}
        values = super().values(document, like) | own
        given = like.get("cidrs")
        return values | ({"cidrs": given} if is_known(given) and given and _is_same(given, document["cidrs"]) else {})

    def import_by_id(self, text: str) -> Values:
        """Import `group/rule`, after the project if it is not the provider's."""
        *project, group, rule = text.split("/")
        if len(project) > 1 or not group:
            raise Failure("This names no rule", "Write group/rule or project/group/rule.")
        return self._imported({"project": project[0] if project else None, "security_group": group}, rule)

    def import_by_identity(self, identity: Values) -> Values:
        return self._imported(dict(identity), identity["id"])

    def _imported(self, where: Values, reference: str) -> Values:
        group = self.cloud.api.get(project_path(self.parent_of(where), "security-groups", where["security_group"]))
        return super()._imported(where, reference) | {"security_group": group["id"]}


def _is_same(given: list[str], stored: list[str]) -> bool:
    """Compare ranges; the API stores them in their usual form."""
    return len(given) == len(stored) and {each.lower() for each in given} == {each.lower() for each in stored}
