"""Guests on volumes of each engine: image to started guest, clone to first console line, the pause of snapshots.

The floor makes the disk by the raw tool, and starts the same domain by libvirt alone, as in bench/boot.py. A pause is
from the beginning of the call of the node that freezes or pauses the guest until the end of the call that ends it, by
the log of the agent; the floor asks libvirt for the same.
"""

import json
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree

import libvirt

from agents.lab.ceph import POOL, CephCluster
from agents.node import domain_xml
from bench.boot import is_cordoned_without_hook, measure_baseline, seconds_until_longer
from bench.common import moment, print_progress
from bench.volume_changes import Samples, carried_out, timed
from scripts.api import Api, ApiError
from scripts.ceph_storage import TYPE
from scripts.cloud import BUILT_IMAGES, Cloud
from scripts.polling import wait_until

IMAGE, FLAVOR = "bench-image", "bench"
FROZEN, THAWED = "FreezeInstance", "ThawInstance"
BOOT_S = 1200
"""Until a Debian guest has booted under emulation, and its guest agent answers."""


@dataclass(frozen=True)
class Place:
    """The cloud with one node, and its cluster."""

    cloud: Cloud
    cluster: CephCluster
    api: Api
    platform: Api
    image_gib: int

    @property
    def name(self) -> str:
        return next(iter(self.cloud.zones))

    def offer(self) -> None:
        """Make an image of `image_gib`, and a flavor with such a disk."""
        stack = self.cloud.stack
        file, offers = stack.var / "bench-image.qcow2", stack.var / "bench-offers.json"
        tiny = str(BUILT_IMAGES / "tiny.qcow2")
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", tiny, str(file)], check=True)
        subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", str(file), f"{self.image_gib}G"], check=True)
        stack.manage("import_image", IMAGE, str(file), "--format", "qcow2", "--min-memory-mib", "128", "--replace")
        flavor = {"id": FLAVOR, "vcpus": 1, "memory_mib": 128, "disk_gib": self.image_gib}
        offers.write_text(json.dumps({"schema": "andromede.offers/1", "flavors": [flavor], "volume_types": []}))
        stack.manage("import_offers", str(offers))

    def console_log(self, instance_id: str) -> Path:
        return self.cloud.node(self.name).agent_folder / "instances" / instance_id / "console.log"

    def wait_for_node(self) -> None:
        """Wait until the node is in service again: the floor has covered its hooks."""
        wait_until(lambda: is_cordoned_without_hook(self.platform, self.name))


def image_to_started(place: Place, rounds: int, volume_type: str) -> Samples:
    """Return the seconds from the request to the started guest. The first round, which brings the image, is apart."""
    samples: Samples = {"first_image_to_started": ([], []), "image_to_started": ([], [])}
    for number in range(rounds + 1):
        print_progress(f"image to started guest on {volume_type}, round {number} of {rounds}")
        place.wait_for_node()
        begun = time.time()
        body = {"name": "guest", "flavor": FLAVOR, "image": IMAGE, "networks": ["lan"]}
        instance = place.api.post("instances", body | {"root_volume_type": volume_type})
        ended = place.api.wait(instance["operation"])
        if ended["state"] != "succeeded":
            raise SystemExit(f"{volume_type}: {ended['error']}")
        started = next(step for step in ended["steps"] if step["name"] == "start")["finished_at"]
        ours = moment(started) - begun
        disk = timed(lambda: raw_disk(place, volume_type))
        restarted, _ = restarted_by_libvirt(place, instance["id"])
        act = "image_to_started" if number else "first_image_to_started"
        samples[act][0].append(ours)
        samples[act][1].append(disk + restarted)
        place.api.delete_if_there("instances/guest")
    return samples


def restarted_by_libvirt(place: Place, instance_id: str) -> tuple[float, float]:
    """Start the guest by libvirt alone: the seconds until it is started, and until its first line on the console."""
    connection = libvirt.open(place.cloud.node(place.name).libvirt_uri)
    text = connection.lookupByUUIDString(instance_id).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    secrets = [_keep_key(place, connection, auth) for auth in ElementTree.fromstring(text).iter("auth")]
    restarted = measure_baseline(place.cloud.node(place.name), instance_id, place.console_log(instance_id))
    for secret in secrets:
        secret.undefine()
    return restarted


def _keep_key(place: Place, connection: Any, auth: ElementTree.Element) -> Any:
    """Give libvirt the key of a disk in the cluster, which the agent has taken back after the start."""
    volume_id = next(auth.iter("secret")).get("uuid", "")
    (found,) = place.cluster.command("auth get", entity=f"client.{auth.get('username')}")
    secret = connection.secretDefineXML(domain_xml.secret(UUID(volume_id)), 0)
    secret.setValue(b64decode(found["key"]), 0)
    return secret


def raw_disk(place: Place, volume_type: str) -> None:
    """Make a root disk as the engine does, by the raw tool alone."""
    image = place.cloud.stack.var / "bench-image.qcow2"
    if volume_type == TYPE:
        _raw_clone(place, f"image-{place.api.get(f'images/{IMAGE}')['sha256']}", "base", namespace="andromede")
        return
    file = place.cloud.stack.var / f"{uuid4()}.qcow2"
    if place.platform.get(f"/v1/volume-types/{volume_type}")["pool"]:
        command = ["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", str(image), str(file)]
    else:
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image), str(file)]
    subprocess.run(command, check=True)
    file.unlink()


def _raw_clone(place: Place, image: str, snapshot: str, *, namespace: str = "") -> None:
    import rbd  # Debian's build: the list of benchmarks is read without it

    name = str(uuid4())
    with place.cluster.client() as client, client.open_ioctx(POOL) as ioctx, client.open_ioctx(POOL) as source:
        source.set_namespace(namespace)
        rbd.RBD().clone(source, image, snapshot, ioctx, name, clone_format=2)
        rbd.RBD().trash_move(ioctx, name)


def clone_to_first_line(place: Place, rounds: int) -> Samples:
    """Return the seconds from the request of a clone to the first line on the console of the guest that boots it."""
    samples: Samples = {"clone_to_first_line": ([], [])}
    system = {"name": "system", "size_gib": 1, "image": "tiny", "volume_type": TYPE}
    source = carried_out(place.api, "volumes", system)["id"]
    snapshot = carried_out(place.api, "snapshots", {"name": "then", "volume": "system"})["id"]
    for number in range(rounds + 1):
        print_progress(f"clone to first line, round {number} of {rounds}")
        place.wait_for_node()
        begun = time.time()
        carried_out(place.api, "volumes", {"name": "clone", "snapshot": "then"})
        body = {"name": "guest", "flavor": "tiny", "boot_volume": "clone", "networks": ["lan"]}
        instance = place.api.post("instances", body)
        ours = seconds_until_longer(place.console_log(instance["id"]), 0, begun)
        place.api.wait(instance["operation"])
        disk = timed(lambda: _raw_clone(place, source, snapshot))
        _, first_line = restarted_by_libvirt(place, instance["id"])
        if number:
            samples["clone_to_first_line"][0].append(ours)
            samples["clone_to_first_line"][1].append(disk + first_line)
        for path in ("instances/guest", "volumes/clone"):
            place.api.delete_if_there(path)
    for path in ("snapshots/then", "volumes/system"):
        place.api.delete_if_there(path)
    return samples


def pauses(place: Place, rounds: int, consistency: str) -> Samples:
    """Return the seconds for which a guest with two disks is paused or frozen, for a snapshot of both.

    `consistency`: `filesystem` needs a guest agent, which Debian has.
    """
    has_agent = consistency == "filesystem"
    samples: Samples = {f"pause_{consistency}": ([], [])}
    with _guest(place, has_agent=has_agent) as (instance_id, volumes):
        domain = libvirt.open(place.cloud.node(place.name).libvirt_uri).lookupByUUIDString(instance_id)
        stop, go_on = (domain.fsFreeze, domain.fsThaw) if has_agent else (domain.suspend, domain.resume)
        for number in range(rounds + 1):
            print_progress(f"pause, {consistency}, round {number} of {rounds}")
            ours = _pause(place, consistency)
            raw = _raw_pause(place, volumes, stop, go_on)
            if number:
                samples[f"pause_{consistency}"][0].append(ours)
                samples[f"pause_{consistency}"][1].append(raw)
    return samples


@contextmanager
def _guest(place: Place, *, has_agent: bool) -> Iterator[tuple[str, list[str]]]:
    """A running guest with its root disk and a volume in the cluster: the ids of the instance and of both volumes."""
    image, flavor = ("debian-13", "small") if has_agent else ("tiny", "tiny")
    if has_agent:
        place.cloud.add_image(image)
    place.wait_for_node()
    carried_out(place.api, "volumes", {"name": "data", "size_gib": 1, "volume_type": TYPE})
    body = {"name": "guest", "flavor": flavor, "image": image, "networks": ["lan"], "volumes": ["data"]}
    instance = carried_out(place.api, "instances", body | {"root_volume_type": TYPE})
    attachments = place.api.get("instances/guest")["attachments"]
    try:
        if has_agent:
            wait_until(lambda: _answers(place), limit_s=BOOT_S)
        yield instance["id"], [each["volume"]["id"] for each in attachments]
    finally:
        for path in ("instances/guest", "volumes/data"):
            place.api.delete_if_there(path)


def _answers(place: Place) -> bool:
    """Tell if the guest agent is connected."""
    try:
        _pause(place, "filesystem")
    except ApiError as exc:
        if exc.code != "compute.guest_agent.not_connected":
            raise
        return False
    return True


def _pause(place: Place, consistency: str) -> float:
    """Take the snapshots by the API, and return for how long the guest was paused or frozen."""
    before = time.time()
    body = {"name": "moment", "consistency": consistency}
    carried_out(place.api, "instances/guest/actions/snapshot", body)
    calls = {call["method"]: call for call in _calls(place) if moment(call["time"]) > before}
    began = moment(calls[FROZEN]["time"]) - calls[FROZEN]["ms"] / 1000
    for snapshot in place.api.get("snapshots")["items"]:
        place.api.delete_if_there(f"snapshots/{snapshot['id']}")
    return float(moment(calls[THAWED]["time"]) - began)


def _calls(place: Place) -> Iterator[dict[str, Any]]:
    """Return the calls that the agent has logged, with their ends and milliseconds."""
    for line in place.cloud.agent_log(place.name).read_text().splitlines():
        if line.startswith("{") and (call := json.loads(line)).get("method") in (FROZEN, THAWED):
            yield call


def _raw_pause(place: Place, volumes: list[str], stop: Callable[[], object], go_on: Callable[[], object]) -> float:
    """Take snapshots by librbd while libvirt has the guest paused or frozen, and return for how long."""
    import rbd

    name = str(uuid4())
    with place.cluster.client() as client, client.open_ioctx(POOL) as ioctx:
        began = time.perf_counter()
        stop()
        for volume in volumes:
            with rbd.Image(ioctx, volume) as image:
                image.create_snap(name)
        go_on()
        seconds = time.perf_counter() - began
        for volume in volumes:
            with rbd.Image(ioctx, volume) as image:
                image.remove_snap(name)
    return seconds
