"""andromede_instance."""

import json
from collections.abc import Sequence
from datetime import datetime

from andromede_sdk.errors import ApiError
from clients.terraform.cloud import Document, project_path
from clients.terraform.resources.base import ApiResource
from clients.terraform.resources.common import refer, refer_all, zones_of
from clients.terraform.resources.instance_schema import SCHEMA
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.durations import Timeouts
from clients.terraform.runtime.provider import Plan, Work
from clients.terraform.runtime.values import UNKNOWN, Values, is_known

# Whatever changes of these, a first boot has to read it.
FIRST_BOOT = ("image", "ssh_keys", "user_data", "user_data_wo_version")
OF_FLAVOR = ("vcpus", "memory_mib", "disk_gib")


class InstanceResource(ApiResource):
    name, kind, noun = "instance", "instances", "instance"
    sent = (
        *("name", "flavor", "image", "boot_volume", "networks", "ports", "ssh_keys", "volumes", "user_data", "zones"),
        *(
            "affinity_group",
            "security_groups",
            "root_volume_type",
            "keep_root_volume",
            "restart_policy",
            "metadata",
            "classifications",
            "labels",
        ),
    )
    patched = ("name", "labels", "restart_policy", "keep_root_volume")
    unreadable = (
        *("security_groups", "ssh_keys", "user_data", "user_data_wo_version", "classifications", "policy_atoms"),
    )
    timeouts = Timeouts(create=1200, update=1200, delete=1200)
    schema = SCHEMA

    def validate(self, config: Values, report: DiagnosticReport) -> None:
        if (config["image"] is None) == (config["boot_volume"] is None):
            report.error("One root disk", "Give image or boot_volume: one of the two.", path=("image",))
        if config["user_data"] is not None and config["user_data_wo"] is not None:
            report.error("Two user data", "Give user_data or user_data_wo, not both.", path=("user_data_wo",))
        if config["user_data_wo"] is not None and config["user_data_wo_version"] is None:
            text = "Without a version nobody can see that user_data_wo has changed: user_data_wo_version = 1."
            report.error("A version is needed", text, path=("user_data_wo",))

    # Planning.

    def refine(self, plan: Plan) -> None:
        if plan.prior is None:
            self._preview(plan)
            return
        self._keep_same_image(plan)
        for attribute, kind in (
            *(("networks", "networks"), ("ports", "ports"), ("ssh_keys", "ssh-keys"), ("volumes", "volumes")),
            ("boot_volume", "volumes"),
            ("security_groups", "security-groups"),
            ("affinity_group", "affinity-groups"),
        ):
            self.keep_same(plan, attribute, project_path(self.parent_of(plan.prior), kind))
        self.keep_in_zone(plan)
        self._refine_first_boot(plan)
        if "flavor" in plan.differing():
            self._refine_flavor(plan)

    def _keep_same_image(self, plan: Plan) -> None:
        """Keep the image if it is the one that the instance was made from: its name may belong to another image now."""
        assert plan.prior is not None
        to = plan.planned["image"]
        if "image" not in plan.differing() or not to or not is_known(to) or not self.cloud.is_connected:
            return
        if self.cloud.ids(project_path(self.parent_of(plan.prior), "images"), [to]) == [plan.prior["image_id"]]:
            plan.keep("image")

    def _refine_first_boot(self, plan: Plan) -> None:
        changed = [name for name in FIRST_BOOT if plan.replaces(name)]
        if not changed:
            return
        if not plan.planned["rebuild_on_image_change"]:
            text = "The new one has another id, other addresses and an empty disk. With rebuild_on_image_change = true "
            text += "the instance is rebuilt instead: id and addresses stay, its disk is made anew."
            plan.report.warn(f"{' and '.join(changed)}: a new instance", text, path=(changed[0],))
            return
        for name in changed:
            plan.update_in_place(name)
        if "image" in changed:
            plan.planned["image_id"] = UNKNOWN
        if plan.planned["root_volume_id"] is not None:
            plan.planned["root_volume_id"] = UNKNOWN
        text = "All that is on its disk is erased. Volumes, addresses and the id stay."
        plan.report.warn(f"{' and '.join(changed)}: the instance is rebuilt", text, path=(changed[0],))

    def _refine_flavor(self, plan: Plan) -> None:
        assert plan.prior is not None
        was, to = plan.prior["flavor"], plan.planned["flavor"]
        for name in OF_FLAVOR:
            plan.planned[name] = UNKNOWN
        if plan.replace or plan.prior["state"] == "stopped" or plan.planned["is_running"] is False:
            return
        text = f"From {'one' if to is UNKNOWN else was} to {'another' if to is UNKNOWN else to} the instance is shut "
        text += "down, and started again: it is away for a minute or so."
        if plan.planned["allow_stop_for_update"] is True:
            plan.report.warn("Another flavor stops the instance", text, path=("flavor",))
        else:
            text += " Say allow_stop_for_update = true if it may be."
            plan.report.error("Another flavor stops the instance", text, path=("flavor",))

    def _preview(self, plan: Plan) -> None:
        """Simulate the placement; a refusal is only a warning, since capacity may change until then."""
        planned = plan.planned
        weighed = ("flavor", "image", "boot_volume", "zones", "classifications")
        body = {name: planned[name] for name in weighed if planned[name]}
        if not self.cloud.is_connected or not is_known(body) or not is_known(planned["name"]):
            return
        try:
            answer = self.cloud.api.post(self.collection(planned), {"name": planned["name"], **body}, dry_run="true")
        except ApiError:
            return  # a resource that the configuration names may be created in the same run
        if not answer.get("is_admitted", True):
            plan.report.warn("As things stand, there is no place for it", "\n".join(answer["explanation"]))

    # Doing.

    def body(self, work: Work) -> Document:
        body = super().body(work)
        if work.config.get("user_data_wo") is not None:
            body["user_data"] = work.config["user_data_wo"]
        if clauses := work.planned["policy_atoms"]:
            body["policy_atoms"] = json.loads(clauses)
        if work.planned["is_running"] is False:
            body["start"] = False
        return body

    def values(self, document: Document, like: Values) -> Values:
        values = super().values(document, like)
        del values["classifications"]  # they include inherited ones, which were not requested
        cards = {address["port"]["id"]: address for address in document["addresses"]}.values()
        named = [card["network"] for card in cards if not card["port"]["is_own"]]
        own = [card["port"] for card in cards if card["port"]["is_own"]]
        networks = refer_all(like.get("networks"), named)
        addresses = [
            {
                "network_id": each["network"]["id"],
                "network": each["network"]["name"],
                "ip": each["ip"],
                "mac": each["mac"],
            }
            for each in _in_order(networks or [], document["addresses"])
        ]
        root_volume = next((each["volume"] for each in document["attachments"] if each.get("is_boot")), None)
        boot_volume = None if self._is_made(document, like, root_volume) else root_volume
        values |= {
            "image": _image(document, like, boot_volume),
            "boot_volume": refer(like.get("boot_volume"), boot_volume),
            "image_id": document["image"]["id"],
            "root_volume_id": None if root_volume is None else root_volume["id"],
            "zones": zones_of(like, document),
            "networks": networks,
            "ports": refer_all(like.get("ports"), own) or [],
            "affinity_group": refer(like.get("affinity_group"), document["affinity_group"]),
            "addresses": addresses,
            "is_running": document["state"] == "active",
        }
        if boot_volume is not None:  # the API returns the type of that volume, and accepts no other value than this
            values["root_volume_type"] = SCHEMA.attributes["root_volume_type"].default
        attached = [each["volume"] for each in document["attachments"] if not each.get("is_boot")]
        return values | {"volumes": refer_all(like.get("volumes"), attached) or []}

    def _is_made(self, document: Document, like: Values, root_volume: Document | None) -> bool:
        """Tell if the root disk was made for the instance; of an imported one: if its volume is not older than it."""
        if root_volume is None or like.get("image") or like.get("boot_volume"):
            return not like.get("boot_volume") or bool(like.get("image"))
        volume = self.cloud.api.get(project_path(self.parent_of(like), "volumes", root_volume["id"]))
        made_at: str = volume["created_at"]
        return datetime.fromisoformat(made_at) >= datetime.fromisoformat(document["created_at"])

    def change(self, work: Work) -> bool:
        if work.changed("volumes"):
            self._change_volumes(work)
        if work.changed("ports"):
            self._change_ports(work)
        if work.changed("security_groups"):
            self._change_groups(work)
        if work.changed("is_running") and not work.planned["is_running"]:
            self._change_power(work)  # first: a guest that boots after another flavor may miss the request to stop
        if work.changed("flavor"):
            self._resize(work)
        if work.changed(*FIRST_BOOT) and work.planned["rebuild_on_image_change"]:
            self._rebuild(work)
        if work.changed("is_running") and work.planned["is_running"]:
            self._change_power(work)
        return work.changed("volumes", "ports", "security_groups", "flavor", "is_running", *FIRST_BOOT)

    def _change_power(self, work: Work) -> None:
        self.act(work, "actions", "start" if work.planned["is_running"] else "shutdown")
        work.save({"is_running": work.planned["is_running"]})

    def _change_groups(self, work: Work) -> None:
        groups = work.planned["security_groups"]
        body = {"security_groups": ["default"] if groups is None else groups}
        self.cloud.api.put(f"{self.path(work.state)}/security-groups", body, version="*", deadline=work.deadline)
        work.save({"security_groups": groups})

    def _resize(self, work: Work) -> None:
        """Shut down, resize, and start again if it was on, also after a failed resize."""
        was_on = self.cloud.api.get(self.path(work.state))["state"] == "active"
        if was_on:
            self.act(work, "actions", "shutdown")
        try:
            self.act(work, "actions", "resize", body={"flavor": work.planned["flavor"]})
            work.save({"flavor": work.planned["flavor"]})
        finally:
            if was_on:
                self.act(work, "actions", "start")

    def _rebuild(self, work: Work) -> None:
        body: Document = {"image": work.planned["image"]}
        if work.changed("ssh_keys"):
            body["ssh_keys"] = work.planned["ssh_keys"] or []
        if work.changed("user_data", "user_data_wo_version"):
            body["user_data"] = work.config.get("user_data_wo") or work.planned["user_data"] or ""
        self.act(work, "actions", "rebuild", body=body)
        work.save({name: work.planned[name] for name in FIRST_BOOT})

    def _change_volumes(self, work: Work) -> None:
        api, path = self.cloud.api, self.path(work.state)
        attachments = api.get(path)["attachments"]
        has = {each["volume"]["id"]: each["id"] for each in attachments if not each.get("is_boot")}
        references: Sequence[str] = work.planned["volumes"]
        volume_ids = self.cloud.ids(project_path(self.parent_of(work.state), "volumes"), list(references))
        ids = dict(zip(volume_ids, references, strict=True))
        for volume in has.keys() - ids.keys():
            self.wait(api.delete(f"{path}/attachments/{has[volume]}", deadline=work.deadline), work)
        for volume in ids.keys() - has.keys():
            self.act(work, "attachments", body={"volume": ids[volume]})

    def _change_ports(self, work: Work) -> None:
        """Detach the ports that are not named any more, and attach the others in their order."""
        api, parent = self.cloud.api, self.parent_of(work.state)
        ports = project_path(parent, "ports")
        addresses = api.get(self.path(work.state))["addresses"]
        has = {each["port"]["id"] for each in addresses if each["port"]["is_own"]}
        port_ids = self.cloud.ids(ports, list(work.planned["ports"]))
        for port in has - set(port_ids):
            self.wait(api.post(f"{ports}/{port}/actions/detach", {}, deadline=work.deadline), work)
        for port in port_ids:
            if port not in has:
                body = {"instance": work.state["id"]}
                self.wait(api.post(f"{ports}/{port}/actions/attach", body, deadline=work.deadline), work)


def _image(document: Document, like: Values, boot_volume: Document | None) -> str | None:
    """Return the image that the root disk was made from for the instance."""
    if boot_volume is not None:
        return None
    return refer(like.get("image"), document["image"]) if like.get("image") else str(document["image"]["name"])


def _in_order(networks: list[str], addresses: list[Document]) -> list[Document]:
    def place(address: Document) -> int:
        names = (address["network"]["id"], address["network"]["name"])
        return next((number for number, text in enumerate(networks) if text in names), len(networks))

    return sorted(addresses, key=place)
