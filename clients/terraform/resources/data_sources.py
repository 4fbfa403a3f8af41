"""andromede_zones, _flavors, _images, _volume_types, _capacity and _placement_simulation."""

import json
from collections.abc import Callable

from clients.terraform.cloud import Cloud, Document, project_path, translated_errors
from clients.terraform.resources.common import POLICY_CLAUSES
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.provider import DataSource
from clients.terraform.runtime.schema import BOOL, NUMBER, STRING, Attribute, Nested, Schema, Type, list_of, set_of
from clients.terraform.runtime.values import Values

PROJECT = Attribute(type=STRING, description="The project; the provider's when not given.", optional=True)


def _found(text: str, of: Type = STRING) -> Attribute:
    return Attribute(type=of, description=text, computed=True)


def _filter(text: str, of: Type = STRING) -> Attribute:
    return Attribute(type=of, description=text, optional=True)


def _several(text: str, **attributes: Attribute) -> Attribute:
    return Attribute(type=Nested("list", attributes), description=text, computed=True)


def _picked(document: Document, like: Attribute) -> Values:
    assert isinstance(like.type, Nested)
    return {name: document.get(name) for name in like.type.attributes}


class CloudData(DataSource):
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def read(self, config: Values, report: DiagnosticReport) -> Values:
        with translated_errors(self.schema.attributes):
            return self.fetch(config)

    def fetch(self, config: Values) -> Values:
        raise NotImplementedError

    def project(self, config: Values) -> str:
        return str(config["project"] or self.cloud.api.project())


class Zones(CloudData):
    name = "zones"
    ZONES = _several(
        "The zones.",
        id=_found("The id."),
        region=_found("The region."),
        status=_found("`open`, `draining` or `closed`."),
    )
    schema = Schema(
        {
            "region": _filter("Only those of this region."),
            "admissible_for": _filter("Only those that the policies of this project admit."),
            "ids": _found("Their ids.", list_of(STRING)),
            "zones": ZONES,
        },
        "The zones of the cloud.",
    )

    def fetch(self, config: Values) -> Values:
        query = {name: config[name] for name in ("region", "admissible_for") if config[name]}
        zones = [_picked(zone, self.ZONES) for zone in self.cloud.api.items("zones", **query)]
        return {"zones": zones, "ids": [zone["id"] for zone in zones]}


class Flavors(CloudData):
    name = "flavors"
    FLAVORS = _several(
        "The flavors, the smallest first.",
        id=_found("The id."),
        vcpus=_found("Virtual processors.", NUMBER),
        memory_mib=_found("Memory in MiB.", NUMBER),
        disk_gib=_found("The root disk in GiB; 0: none.", NUMBER),
    )
    schema = Schema(
        {
            "min_vcpus": _filter("Only those with at least so many virtual processors.", NUMBER),
            "min_memory_mib": _filter("Only those with at least so much memory.", NUMBER),
            "min_disk_gib": _filter("Only those with at least such a disk.", NUMBER),
            "ids": _found("Their ids, the smallest first.", list_of(STRING)),
            "flavors": FLAVORS,
        },
        "The flavors of instances.",
    )

    def fetch(self, config: Values) -> Values:
        flavors = [_picked(flavor, self.FLAVORS) for flavor in self.cloud.api.items("flavors")]
        sizes = ("vcpus", "memory_mib", "disk_gib")
        flavors = [each for each in flavors if all(each[size] >= (config[f"min_{size}"] or 0) for size in sizes)]
        flavors.sort(key=lambda each: (each["memory_mib"], each["vcpus"], each["disk_gib"]))
        return {"flavors": flavors, "ids": [each["id"] for each in flavors]}


class Images(CloudData):
    name = "images"
    IMAGES = _several(
        "The images that can be used, the newest first.",
        id=_found("The id."),
        name=_found("The name."),
        is_public=_found("It is there for all projects.", BOOL),
        format=_found("`qcow2` or `raw`."),
        firmware=_found("`bios` or `uefi`."),
        sha256=_found("The SHA-256 of its file."),
        min_memory_mib=_found("The memory that a guest needs at least.", NUMBER),
        min_disk_gib=_found("The disk that a guest needs at least.", NUMBER),
        created_at=_found("When it was made (RFC 3339)."),
    )
    schema = Schema(
        {
            "project": PROJECT,
            "name": _filter("The one of this name."),
            "labels": _filter("A selector, such as `os=debian`."),
            "ids": _found("Their ids, the newest first.", list_of(STRING)),
            "images": IMAGES,
        },
        "The images of a project, and those for everybody.",
    )

    def fetch(self, config: Values) -> Values:
        query = {name: config[name] for name in ("name", "labels") if config[name]}
        path = project_path(self.project(config), "images")
        documents = self.cloud.api.items(path, state="available", sort="-created_at", **query)
        images = [_picked(image, self.IMAGES) for image in documents]
        return {"images": images, "ids": [image["id"] for image in images]}


class VolumeTypes(CloudData):
    name = "volume_types"
    VOLUME_TYPES = _several(
        "The volume types.",
        id=_found("The id."),
        description=_found("What it is for."),
        pool=_found("The pool of its volumes; empty: the disk of one node."),
        binding=_found(
            "When a volume gets its place: `immediate`, at its creation, or `first_use`, when it is first attached."
        ),
        is_multi_attach=_found("Several instances can have such a volume attached at once.", BOOL),
        iops=_found("The fixed limit of operations per second; 0: none.", NUMBER),
        iops_per_gib=_found("The same for each GiB. The larger one counts.", NUMBER),
        mb_per_s=_found("The fixed limit in MB (10^6 bytes) per second; 0: none.", NUMBER),
        mb_per_s_per_gib=_found("The same for each GiB. The larger one counts.", NUMBER),
        has_snapshots=_found("Snapshots of its volumes can be taken.", BOOL),
        zones=_found("The zones that have the pool; null: each zone, with the disk of one node.", list_of(STRING)),
        replicas=_found("The copies that Ceph keeps of the data; null: not reported.", NUMBER),
    )
    schema = Schema(
        {
            "project": PROJECT,
            "ids": _found("Their ids.", list_of(STRING)),
            "volume_types": VOLUME_TYPES,
        },
        "The volume types that new volumes of a project may have.",
    )

    def fetch(self, config: Values) -> Values:
        path = project_path(self.project(config), "volume-types")
        found = [_picked(each, self.VOLUME_TYPES) for each in self.cloud.api.items(path)]
        return {"volume_types": found, "ids": [each["id"] for each in found]}


class CapacityData(CloudData):
    name = "capacity"
    schema = Schema(
        {
            "zone": Attribute(type=STRING, description="The zone.", required=True),
            "flavor": Attribute(type=STRING, description="The flavor.", required=True),
            "fits": _found("So many more could be placed there now.", NUMBER),
            "largest": Attribute(
                type=Nested(
                    "single",
                    {
                        "vcpus": _found("Virtual processors.", NUMBER),
                        "memory_mib": _found("Memory in MiB.", NUMBER),
                        "disk_gib": _found("The disk in GiB.", NUMBER),
                    },
                ),
                description="The most that one instance could get there; null: nothing.",
                computed=True,
            ),
        },
        "How much there is room for in a zone, now.",
    )

    def fetch(self, config: Values) -> Values:
        capacity = self.cloud.api.get(f"zones/{config['zone']}/capacity", flavor=config["flavor"])
        return {"fits": capacity["fits"], "largest": capacity["largest"]}


class PlacementSimulation(CloudData):
    name = "placement_simulation"
    schema = Schema(
        {
            "project": PROJECT,
            "operation": Attribute(
                type=STRING,
                description="What would be done, such as `instance.create` or `volume.create`.",
                default="instance.create",
            ),
            "vcpus": _filter("Virtual processors.", NUMBER),
            "memory_mib": _filter("Memory in MiB.", NUMBER),
            "disk_gib": _filter("Disk in GiB.", NUMBER),
            "zones": _filter("Only in these zones.", set_of(STRING)),
            "classifications": _filter("With data of these classifications.", set_of(STRING)),
            "policy_atoms": Attribute(
                type=STRING,
                description="Clauses on top of the policies in force, as a JSON list.",
                optional=True,
                checks=POLICY_CLAUSES.checks,
            ),
            "is_admitted": _found("There would be a place.", BOOL),
            "admitted_zones": _found("The zones that the policies admit and that have room.", list_of(STRING)),
            "explanation": _found("Why, in sentences.", list_of(STRING)),
            "valid_until": _found("When an answer about facts may change (RFC 3339)."),
        },
        "What placement would decide now. Nothing is written, and nothing is kept free.",
    )
    _SENT = ("operation", "vcpus", "memory_mib", "disk_gib", "zones", "classifications")

    def fetch(self, config: Values) -> Values:
        body = {name: config[name] for name in self._SENT if config[name] is not None}
        body["project"] = self.project(config)
        if config["policy_atoms"]:
            body["policy_atoms"] = json.loads(config["policy_atoms"])
        answer = self.cloud.api.post("placement/simulations", body)
        return {name: answer[name] for name in ("is_admitted", "admitted_zones", "explanation", "valid_until")}


ALL: tuple[Callable[[Cloud], CloudData], ...] = (
    Zones,
    Flavors,
    Images,
    VolumeTypes,
    CapacityData,
    PlacementSimulation,
)
