"""Rules for every list, every resource and every GET, from the URL table itself."""

import re
from typing import Any

from django.urls import resolve

from controlplane.kernel.fields import ResourceOut
from controlplane.kernel.listing import Listing
from tests.api.client import Caller
from tests.api.test_isolation import ALL, OF_PROJECTS, Route, names  # noqa: F401 - a fixture

CONVENTIONS = {
    "id",
    "state",
    "conditions",
    "current_operation",
    "last_error",
    "generation",
    "labels",
    "created_at",
    "updated_at",
}
# What lives in a project, by the path of its collection.
RESOURCES = (
    *("instances", "volumes", "images", "networks", "ports", "ssh-keys", "affinity-groups", "security-groups"),
    "public-addresses",
    "address-sets",
    "snapshots",
    "snapshot-schedules",
)
# What can be edited besides, and has no state that anything waits for.
STATELESS = {
    *("address-pools", "organizations", "projects", "members", "service-accounts", "subnets", "volume-types"),
    "webhooks",
}
# Lists that say when their rows were created, and cannot be filtered by it. This list may only shrink.
NOT_BY_AGE: set[str] = set()


# What costs too much for every row of a list. This may only shrink.
ALONE = dict.fromkeys(("instances", "ports", "public-addresses", "volumes", "snapshots"), {"allowed_actions"})


def described(route: Route) -> Any:
    """The kernel's Route, which the table only summarizes."""
    view: Any = resolve("/" + re.sub(r"<str:\w+>", "x", route.path)).func
    return getattr(view.view_class, route.method.lower()).route


LISTS = {each.operation_id: described(each).listing for each in ALL if described(each).listing is not None}


def test_lists_with_a_creation_time_filter_by_it() -> None:
    assert len(LISTS) > 25
    aged: dict[str, Listing] = {name: each for name, each in LISTS.items() if "created_at" in each.sorts}
    assert {name for name, each in aged.items() if "created_after" not in each.filters} == NOT_BY_AGE
    for each in LISTS.values():
        assert {"sort", "limit", "page_token", "count"} <= each.parameters.keys()


def test_every_resource_of_a_project_has_the_common_fields(api: Caller, names: dict[str, str]) -> None:  # noqa: F811
    for kind in RESOURCES:
        listed = api.get(kind).body["items"]
        assert listed, kind
        one = api.get(f"{kind}/{listed[0]['id']}").body
        assert {name: one[name] for name in one.keys() - ALONE.get(kind, set())} == listed[0]
        assert CONVENTIONS | {"name"} <= one.keys(), kind
        singular = kind.removesuffix("es") if kind.endswith("sses") else kind.removesuffix("s")
        filters = LISTS[f"{singular.replace('-', '_')}_list"].filters
        assert {"name", "created_after", "labels"} <= filters.keys(), kind
    patched = {each.path.rpartition("/")[0].rpartition("/")[2] for each in ALL if each.method == "PATCH"}
    assert patched == set(RESOURCES) | STATELESS


def test_resources_derive_from_one_class() -> None:
    paths = {f"v1/projects/<str:project>/{kind}" for kind in RESOURCES}
    kinds = [each for each in OF_PROJECTS if each.path in paths and each.method == "GET"]
    assert len(kinds) == len(RESOURCES)
    assert all(issubclass(described(each).answer, ResourceOut) for each in kinds)


def test_list_after_a_create_has_the_new_resource(api: Caller, names: dict[str, str]) -> None:  # noqa: F811
    created = api.post("networks", {"name": "new", "cidr": "10.30.0.0/24"}).body
    assert api.get("networks?sort=-created_at&limit=1").body["items"] == [created]
    assert api.get("networks?name=new&count=true").body["total_count"] == 1
    assert api.get(f"networks?created_after={created['created_at']}").body["items"] == []


def test_head_equals_get_without_the_body(api: Caller, names: dict[str, str]) -> None:  # noqa: F811
    for route in OF_PROJECTS:
        if route.method == "GET":
            url = route.url(names)
            got, headed = api.get(url), api.http.head(url, headers={"Authorization": "Bearer alpha"})
            body = headed.getvalue() if headed.streaming else headed.content
            assert (headed.status_code, body) == (got.status, b""), route
            assert headed.headers.get("ETag") == got.headers.get("ETag"), route
