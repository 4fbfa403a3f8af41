"""Storage pools: usage, nodes that mount them or should, and content."""

from functools import cached_property
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import Api
from controlplane.dashboard.base_views import Context, Page, Text

MANY = 200


class Pools(Page):
    template = "dashboard/platform/pools/list.html"
    title = _("Storage pools")
    section = "pools"
    live = "node incident instance volume"

    def context(self) -> Context:
        filters = {name: self.query(name) for name in ("zone", "name", "engine")}
        page = self.api.get("pools", **filters, sort="name", page_token=self.query("page_token"))
        return {
            "pools": [measured(each) for each in page["items"]],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "zones": [each["id"] for each in self.api.get("zones", limit=MANY)["items"]],
        }


class Pool(Page):
    template = "dashboard/platform/pools/detail.html"
    section = "pools"
    live = "node incident instance volume"

    @cached_property
    def pool(self) -> dict[str, Any]:
        return measured(self.api.get("pools", self.kwargs["pool"]))

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": self.pool["name"]}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Storage pools"), reverse("pools"))]

    def context(self) -> Context:
        guests, volumes = (
            self.api.get("pools", self.pool["id"], kind, sort="name", limit=MANY) for kind in ("instances", "volumes")
        )
        return {
            "pool": self.pool,
            "guests": guests["items"],
            "has_more_guests": bool(guests["next_page_token"]),
            "volumes": volumes["items"],
            "has_more_volumes": bool(volumes["next_page_token"]),
        }


def measured(pool: dict[str, Any]) -> dict[str, Any]:
    """Return the pool with its total and used space, as a node's page shows its disk."""
    return pool | {"disk_gib": {"capacity": pool["capacity_gib"], "used": pool["used_gib"], "reserved": 0}}


def pools_of(api: Api, node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pools that the node has or lacks; `why` is the reason for a missing one."""
    pools = []
    for pool in api.get("pools", zone=node["zone"], sort="name", limit=MANY)["items"]:
        missing = {each["name"]: each["why"] for each in pool["missing"]}
        if node["name"] in missing or any(each["name"] == node["name"] for each in pool["nodes"]):
            pools.append(pool | {"why": missing.get(node["name"], "")})
    return pools
