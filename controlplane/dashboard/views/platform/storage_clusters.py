"""Storage clusters: Ceph clusters of zones, their health, pools and incidents."""

from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, Page, Text
from controlplane.dashboard.views.platform.pools import measured

MANY = 200
LATEST = 20


class StorageClusters(Page):
    template = "dashboard/platform/storage_clusters/list.html"
    title = _("Storage clusters")
    section = "storage-clusters"
    live = "storage_cluster incident"

    def context(self) -> Context:
        zone = self.query("zone")
        page = self.api.get("storage-clusters", zone=zone, sort="name", page_token=self.query("page_token"))
        return {
            "clusters": [with_state(each) for each in page["items"]],
            "next_page_token": page["next_page_token"],
            "zones": [each["id"] for each in self.api.get("zones", limit=MANY)["items"]],
        }


class StorageCluster(Page):
    template = "dashboard/platform/storage_clusters/detail.html"
    section = "storage-clusters"
    live = "storage_cluster incident node"

    @cached_property
    def cluster(self) -> dict[str, Any]:
        return with_state(self.api.get("storage-clusters", self.kwargs["cluster"]))

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": self.cluster["name"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Storage clusters"), reverse("storage-clusters"))]

    def context(self) -> Context:
        incidents = self.api.get("storage-clusters", self.cluster["id"], "incidents", limit=LATEST)
        return {
            "cluster": self.cluster,
            "pools": [measured(each) for each in self.cluster["pools"]],
            "incidents": incidents["items"],
        }


def with_state(cluster: dict[str, Any]) -> dict[str, Any]:
    """Return the cluster with its state in one word: its problem, its health, or what is still to do."""
    state = cluster["problem"] or cluster["health"] or "new"
    return cluster | {"state": state if cluster["certificate_expires_at"] else "uncertified"}
