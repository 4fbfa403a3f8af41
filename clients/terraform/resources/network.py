"""andromede_network, andromede_subnet and andromede_port."""

import ipaddress

from clients.terraform.cloud import Document, project_path
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, refer, refer_all
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import (
    NUMBER,
    STRING,
    Attribute,
    IdentityAttribute,
    Schema,
    list_of,
    map_of,
    set_of,
)
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known


def _range_complaint(text: str) -> str | None:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        return f"This is no range of IPv4 addresses: {error}."
    return None


def _ipv6_complaint(text: str) -> str | None:
    try:
        ipaddress.IPv6Network(text)
    except ValueError as error:
        return f"This is no range of IPv6 addresses: {error}."
    return None


def _options() -> dict[str, Attribute]:
    """Return the attributes of a subnet that PATCH changes under their names."""
    texts = {
        "ntp_servers": "NTP servers of the guests, which learn of a change when they renew their lease.",
        "domain_search": "Search domains of the guests.",
        "static_routes": "Routes of the guests, each `range=next hop`, such as `10.40.0.0/16=10.1.0.4`.",
        "reserved_ranges": "Addresses that no port gets, each `first-last`.",
    }
    return {name: Attribute(type=list_of(STRING), description=text, optional=True) for name, text in texts.items()}


def _gateway(replaced: str) -> Attribute:
    return Attribute(
        type=STRING,
        description=f"The gateway; the first address unless it is given. A change makes a new {replaced}.",
        optional=True,
        computed=True,
        replace=True,
    )


def _changeable(of: str) -> dict[str, Attribute]:
    """Return the attributes of a subnet that change in place."""
    return {
        "ipv6_cidr": Attribute(
            type=STRING,
            description=f"The IPv6 range of {of}: a /64 within fd00::/8, or the one that `ipv6_pool` gave.",
            optional=True,
            computed=True,
            checks=(_ipv6_complaint,),
        ),
        "ipv6_pool": Attribute(
            type=STRING,
            description=f"The name of a pool that gives {of} a public /64, routed to the zone of the pool.",
            optional=True,
        ),
        "dns_servers": Attribute(
            type=list_of(STRING),
            description="Name servers of the guests, which learn of a change when they renew their lease.",
            optional=True,
        ),
    }


def _change(work: Work) -> Document:
    """Return the change of a subnet; empty: none of these attributes changes."""
    body: Document = {}
    if work.changed("ipv6_cidr", "ipv6_pool"):
        pool = work.planned["ipv6_pool"]
        body = {"ipv6_cidr": work.planned["ipv6_cidr"] or ""} if pool is None else {"ipv6_pool": pool}
    if work.changed("dns_servers"):
        body["dns_servers"] = work.planned["dns_servers"] or []
    return body


def _plan_ipv6(plan: Plan) -> None:
    """Plan the range that the API will show: a removed one is null, and that of another pool is unknown."""
    pool, prior = plan.config["ipv6_pool"], plan.prior or {}
    if plan.config["ipv6_cidr"] is not None:
        return
    if pool is None:
        plan.planned["ipv6_cidr"] = None
    elif pool != prior.get("ipv6_pool"):
        plan.planned["ipv6_cidr"] = UNKNOWN


def _pool_name(document: Document, like: Values) -> str | None:
    named = document["ipv6_pool"]
    return None if named is None else refer(like.get("ipv6_pool") or named["name"], named)


class NetworkResource(ApiResource):
    name, kind, noun = "network", "networks", "network"
    sent = ("name", "cidr", "ipv6_cidr", "ipv6_pool", "gateway_ip", "dns_servers", *_options(), "mtu", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "cidr": Attribute(
                type=STRING,
                description="The range, such as `10.0.0.0/24`. A change makes a new network.",
                required=True,
                replace=True,
                checks=(_range_complaint,),
            ),
            **_changeable("its first subnet"),
            "gateway_ip": _gateway("network"),
            **_options(),
            "labels": LABELS,
            "mtu": Attribute(
                type=NUMBER,
                description="The largest packet of the guests, in bytes; default 1500. A change makes a new network.",
                optional=True,
                computed=True,
                replace=True,
            ),
            "created_at": CREATED_AT,
        },
        "A private network of a project. Instances are on it by naming it; it can be deleted once no instance is.",
    )

    def refine(self, plan: Plan) -> None:
        _plan_ipv6(plan)

    def change(self, work: Work) -> bool:
        """Change the first subnet."""
        options = {name: self.word(name, work.planned[name]) for name in _options() if work.changed(name)}
        if body := _change(work) | options:
            subnet = self.cloud.api.get(self.path(work.state), deadline=work.deadline)["subnets"][0]
            self.cloud.api.patch(self.path(work.state, "subnets", subnet["id"]), body, deadline=work.deadline)
        return bool(body)

    def word(self, name: str, value: Value) -> Value:
        return _word(name, value)

    def values(self, document: Document, like: Values) -> Values:
        return super().values(_with_routes(document), like) | {"ipv6_pool": _pool_name(document, like)}


class SubnetResource(ApiResource):
    name, kind, noun = "subnet", "subnets", "subnet"
    patched = ("name", "labels", *_options())
    sent = (*patched, "cidr", "ipv6_cidr", "ipv6_pool", "gateway_ip", "dns_servers")
    is_listed = False
    identity = {
        "id": IdentityAttribute("The id."),
        "network": IdentityAttribute("The id of the network."),
        "project": IdentityAttribute("The project; the provider's when not given.", is_required=False),
    }
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "network": Attribute(
                type=STRING,
                description="The id or name of the network. A change makes a new subnet.",
                required=True,
                replace=True,
            ),
            "name": name_attribute(),
            "cidr": Attribute(
                type=STRING,
                description="The range, such as `10.1.0.0/24`. A change makes a new subnet.",
                required=True,
                replace=True,
                checks=(_range_complaint,),
            ),
            **_changeable("the subnet"),
            "gateway_ip": _gateway("subnet"),
            **_options(),
            "labels": LABELS,
            "created_at": CREATED_AT,
        },
        "Another range of a network. It can be deleted once no port has an address of it.",
    )

    def collection(self, values: Values) -> str:
        return project_path(self.parent_of(values), "networks", values["network"], "subnets")

    def word(self, name: str, value: Value) -> Value:
        return _word(name, value)

    def change(self, work: Work) -> bool:
        if body := _change(work):
            self.cloud.api.patch(self.path(work.state), body, deadline=work.deadline)
        return bool(body)

    def refine(self, plan: Plan) -> None:
        _plan_ipv6(plan)
        if plan.prior is not None:
            self.keep_same(plan, "network", project_path(self.parent_of(plan.prior), "networks"))

    def values(self, document: Document, like: Values) -> Values:
        return super().values(_with_routes(document), like) | {
            "network": refer(like.get("network"), document["network"]),
            "ipv6_pool": _pool_name(document, like),
        }

    def import_by_id(self, text: str) -> Values:
        """Import `network/subnet`, after the project if it is not the provider's."""
        *project, network, reference = text.split("/")
        if len(project) > 1 or not network:
            raise Failure("This names no subnet", "Write network/subnet or project/network/subnet.")
        return self._imported({"project": project[0] if project else None, "network": network}, reference)

    def import_by_identity(self, identity: Values) -> Values:
        return self._imported({"project": identity.get("project"), "network": identity["network"]}, identity["id"])


def _word(name: str, value: Value) -> Value:
    """Return an attribute of a subnet in the API's form: an option that is not given has no entries."""
    if name == "static_routes":
        return [_route(each) for each in value or []]
    return [] if name in _options() and value is None else value


def _with_routes(document: Document) -> Document:
    """Return the document of a network or a subnet with its routes as the attribute has them."""
    routes = [f"{each['destination']}={each['next_hop']}" for each in document["static_routes"]]
    return document | {"static_routes": routes}


def _route(text: str) -> Document:
    destination, _equals, next_hop = text.partition("=")
    return {"destination": destination, "next_hop": next_hop}


class PortResource(ApiResource):
    name, kind, noun = "port", "ports", "port"
    sent = ("name", "network", "addresses", "allowed_addresses", "security_groups", "bandwidth", "labels")
    patched = ("name", "addresses", "allowed_addresses", "security_groups", "bandwidth", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "network": Attribute(
                type=STRING,
                description="The id or name of the network. A change makes a new port.",
                required=True,
                replace=True,
            ),
            "addresses": Attribute(
                type=list_of(STRING),
                description="Its addresses; free ones of a subnet unless they are given. More at the end are added to "
                "the port; another change makes a new one.",
                optional=True,
                computed=True,
                replace=True,
            ),
            "allowed_addresses": Attribute(
                type=list_of(STRING),
                description="Ranges that it may use beside its addresses, such as `10.1.0.100` for VRRP; with another "
                "hardware address as `10.1.0.100=00:00:5e:00:01:01`.",
                optional=True,
            ),
            "security_groups": Attribute(
                type=set_of(STRING),
                description="The ids or names of its security groups; the project's default group unless they are "
                "given. Groups that have it by their selector are not among them.",
                optional=True,
                computed=True,
            ),
            "bandwidth": Attribute(
                type=map_of(NUMBER),
                description="Limits in Mbit/s: `to_guest_mbit` of what the guest receives, `from_guest_mbit` of what "
                "it sends. What exceeds them is dropped.",
                optional=True,
            ),
            "labels": LABELS,
            "mac": Attribute(type=STRING, description="The hardware address.", computed=True),
            "created_at": CREATED_AT,
        },
        "A network card with addresses that outlive instances; an instance has it by naming it in `ports`. It can be "
        "deleted once no instance has it.",
    )

    def word(self, name: str, value: Value) -> Value:
        if name == "allowed_addresses":
            return [_allowed(each) for each in value or []]
        if name == "bandwidth":
            return dict.fromkeys(LIMITS) | dict(value or {})
        return [{"ip": each} for each in value] if name == "addresses" and value else value

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None:
            self.keep_same(plan, "network", project_path(self.parent_of(plan.prior), "networks"))
            self.keep_same(plan, "security_groups", project_path(self.parent_of(plan.prior), "security-groups"))
            before, after = plan.prior["addresses"], plan.planned["addresses"]
            if plan.replaces("addresses") and is_known(after) and after[: len(before)] == before:
                plan.update_in_place("addresses")

    def values(self, document: Document, like: Values) -> Values:
        values = super().values(document, like)
        chosen = [group for group in document["security_groups"] or [] if not group["is_selected"]]
        given, allowed = like.get("allowed_addresses"), document["allowed_addresses"]
        limits = {name: limit for name, limit in document["bandwidth"].items() if limit is not None}
        is_same = is_known(given) and [_stored(each) for each in given or []] == allowed
        return values | {
            "network": refer(like.get("network"), document["network"]),
            "addresses": [each["ip"] for each in document["addresses"]],
            "allowed_addresses": given if is_same else [_written(each) for each in allowed],
            "security_groups": refer_all(like.get("security_groups"), chosen) or [],
            "bandwidth": limits or None,
        }


LIMITS = ("to_guest_mbit", "from_guest_mbit")


def _allowed(text: str) -> Document:
    cidr, _equals, mac = text.partition("=")
    return {"cidr": cidr, "mac": mac or None}


def _stored(text: str) -> Document:
    """Return an allowed address in the form that the API stores."""
    pair = _allowed(text)
    try:
        cidr = str(ipaddress.ip_network(pair["cidr"]))
    except ValueError:
        cidr = pair["cidr"]
    return {"cidr": cidr, "mac": pair["mac"] and pair["mac"].lower()}


def _written(pair: Document) -> str:
    return pair["cidr"] if pair["mac"] is None else f"{pair['cidr']}={pair['mac']}"
