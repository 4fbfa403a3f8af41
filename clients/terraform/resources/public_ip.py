"""andromede_public_ip and andromede_public_ip_association."""

from clients.terraform.cloud import Document, project_path, translated_errors
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import CREATED_AT, ID, LABELS, PROJECT, name_attribute, one_of, refer
from clients.terraform.runtime.diagnostics import Failure
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.schema import STRING, Attribute, Schema
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known

ADDRESSES = "public-addresses"
ANEW = "A change makes a new association."


class PublicIpResource(ApiResource):
    name, kind, noun = "public_ip", ADDRESSES, "public address"
    sent = ("name", "pool", "ip", "ptr", "labels")
    patched = ("name", "ptr", "labels")
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "name": name_attribute(),
            "pool": Attribute(
                type=STRING,
                description="The id or name of the pool. A change reserves another address.",
                required=True,
                replace=True,
            ),
            "ip": Attribute(
                type=STRING,
                description="The address; a free one when not given. A change reserves another address.",
                optional=True,
                computed=True,
                replace=True,
            ),
            "ptr": Attribute(type=STRING, description="Its name in the reverse zone of the operator.", default=""),
            "labels": LABELS,
            "zone": Attribute(type=STRING, description="The zone that it is routed to.", computed=True),
            "created_at": CREATED_AT,
        },
        "A public address that the project has until it is released. It outlives instances; attach it with "
        "`andromede_public_ip_association`.",
    )

    def refine(self, plan: Plan) -> None:
        """Keep the pool when its id and its name are exchanged. It can be listed only."""
        if plan.prior is None or "pool" not in plan.differing() or not self.cloud.is_connected:
            return
        pools = self.cloud.api.items(project_path(self.parent_of(plan.prior), "address-pools"))
        ids = {reference: pool["id"] for pool in pools for reference in (pool["id"], pool["name"])}
        was, to = plan.prior["pool"], plan.planned["pool"]
        if was in ids and is_known(to) and ids[was] == ids.get(to):
            plan.keep("pool")

    def values(self, document: Document, like: Values) -> Values:
        pool = refer(like.get("pool"), document["pool"])
        return super().values(document, like) | {"pool": pool, "ptr": document["ptr"]}


class PublicIpAssociationResource(ApiResource):
    """Its id is that of the public address, which has one association at most."""

    name, kind, noun = "public_ip_association", ADDRESSES, "public address association"
    patched = ()
    is_listed = False
    schema = Schema(
        {
            "id": ID,
            "project": PROJECT,
            "public_ip": Attribute(
                type=STRING,
                description=f"The id or name of the public address. {ANEW}",
                required=True,
                replace=True,
            ),
            "port": Attribute(
                type=STRING,
                description=f"The id or name of the port; the first one of `instance` when not given. {ANEW}",
                optional=True,
                computed=True,
                replace=True,
            ),
            "instance": Attribute(
                type=STRING,
                description=f"The id or name of the instance, in place of a port. {ANEW}",
                optional=True,
                replace=True,
            ),
            "network": Attribute(
                type=STRING,
                description="The id or name of the network, in place of a port: the address is the source of what "
                f"leaves the network in its zone. {ANEW}",
                optional=True,
                replace=True,
            ),
            "mode": Attribute(
                type=STRING,
                description="`nat`: translated to an address of the port; `routed`: the guest has it itself. When not "
                f"given, `nat`, and `routed` of IPv6. {ANEW}",
                optional=True,
                computed=True,
                replace=True,
                checks=(one_of("nat", "routed"),),
            ),
            "fixed_ip": Attribute(
                type=STRING,
                description=f"The address that it is translated to; the first one of the port when not given. {ANEW}",
                optional=True,
                computed=True,
                replace=True,
            ),
            "ip": Attribute(type=STRING, description="The public address.", computed=True),
        },
        "A public address at a port or an instance of its zone, or the egress address of a network there.",
    )

    def refine(self, plan: Plan) -> None:
        if plan.prior is not None:
            project = self.parent_of(plan.prior)
            for name, kind in (
                ("public_ip", ADDRESSES),
                ("port", "ports"),
                ("instance", "instances"),
                ("network", "networks"),
            ):
                self.keep_same(plan, name, project_path(project, kind))

    def create(self, work: Work) -> None:
        with translated_errors(self.schema.attributes):
            planned = work.planned
            project = self.parent_of(planned)
            options = {name: planned[name] for name in ("mode", "fixed_ip") if _is_given(planned[name])}
            body = options | self._holder(project, planned)
            path = project_path(project, ADDRESSES, planned["public_ip"], "actions", "attach")
            answer = self.cloud.api.post(path, body, deadline=work.deadline)
            known = {name: value for name, value in planned.items() if value is not UNKNOWN}
            work.save({**known, "project": project, **self.values(answer, planned)})

    def _holder(self, project: str, planned: Values) -> dict[str, str]:
        """Return what gets the address: a port or a network."""
        port, instance, network = (planned[name] for name in ("port", "instance", "network"))
        if sum(map(_is_given, (port, instance, network))) != 1:
            raise Failure(
                "One of port, instance and network is needed",
                "Name the port, the instance or the network that gets the address.",
            )
        if _is_given(network):
            return {"network": str(network)}
        if _is_given(port):
            return {"port": str(port)}
        addresses = self.cloud.api.get(project_path(project, "instances", instance))["addresses"]
        if not addresses:
            raise Failure("The instance has no port", f"The instance {instance} is on no network.")
        return {"port": str(addresses[0]["port"]["id"])}

    def values(self, document: Document, like: Values) -> Values:
        given = like.get("public_ip")
        is_same = given in (document["id"], document["name"], document["ip"])
        return super().values(document, like) | {
            "public_ip": given if is_same else document["id"],
            "port": refer(like.get("port"), document["port"]),
            "network": refer(like.get("network"), document["network"]),
            "instance": like.get("instance"),
            "fixed_ip": document["fixed_ip"],
        }

    def find(self, state: Values, deadline: float) -> Document | None:
        """Return the address if it is at the same port or network still."""
        document = super().find(state, deadline)
        kind = "network" if state["network"] else "port"
        holder = document and document[kind]
        return document if holder and state[kind] in (holder["id"], holder["name"]) else None

    def sought(self, where: Values, reference: str) -> Document:
        document = super().sought(where, reference)
        if document["port"] is None and document["network"] is None:
            raise Failure("The address is not attached", f"No port and no network has the address {reference}.")
        return document

    def _delete(self, work: Work) -> None:
        if self.find(work.state, work.deadline) is not None:
            self.cloud.api.post(self.path(work.state, "actions", "detach"), {}, deadline=work.deadline)


def _is_given(value: Value) -> bool:
    return value is not None and value is not UNKNOWN
