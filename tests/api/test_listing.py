"""Pages, order and filters, on networks; what holds for one list holds for all."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from controlplane.network.models import Network, Subnet
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud

LABELS = [
    {"env": "prod", "app": "a"},
    {"env": "prod", "app": "b", "tier": "web"},
    {"env": "test", "app": "c"},
    {"env": "prod", "app": "c"},
    {},
]


@pytest.fixture
def many(cloud: Cloud) -> None:
    Network.objects.all().delete()
    for number, labels in enumerate(LABELS):
        network = Network.objects.create(project=cloud.tenant.project, name=f"n{number}", labels=labels)
        Subnet.objects.create(network=network, cidr="10.10.0.0/24", gateway_ip="10.10.0.1")


def names(api: Caller, query: str) -> list[str]:
    answer = api.get(f"networks?{query}")
    assert answer.status == 200, answer.text
    return [each["name"] for each in answer.body["items"]]


def pages(api: Caller, query: str) -> Iterator[list[str]]:
    """Page after page, by the link that each gives."""
    path = f"networks?{query}"
    while path:
        answer = api.get(path)
        assert answer.status == 200, answer.text
        yield [each["name"] for each in answer.body["items"]]
        link = answer.headers.get("Link", "")
        assert (answer.body["next_page_token"] is None) == (link == "")
        path = link.removeprefix("<").removesuffix('>; rel="next"')


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created_at", ["n0", "n1", "n2", "n3", "n4"]),
        ("-created_at", ["n4", "n3", "n2", "n1", "n0"]),
        ("name", ["n0", "n1", "n2", "n3", "n4"]),
        ("-name", ["n4", "n3", "n2", "n1", "n0"]),
    ],
)
def test_the_pages_have_all_rows_once_and_in_order(api: Caller, sort: str, expected: list[str]) -> None:
    listed = list(pages(api, f"sort={sort}&limit=2"))
    assert [len(page) for page in listed] == [2, 2, 1]
    assert [name for page in listed for name in page] == expected


@pytest.mark.usefixtures("many")
def test_rows_with_equal_creation_time_are_listed_once(api: Caller) -> None:
    Network.objects.update(created_at=Network.objects.first().created_at)  # type: ignore[union-attr]
    assert sorted(name for page in pages(api, "limit=1") for name in page) == ["n0", "n1", "n2", "n3", "n4"]


@pytest.mark.usefixtures("many")
def test_deletion_between_two_pages_skips_no_row(api: Caller) -> None:
    walk = pages(api, "limit=2")
    assert next(walk) == ["n0", "n1"]
    Network.objects.filter(name__in=["n1", "n2"]).delete()
    assert next(walk) == ["n3", "n4"]


@pytest.mark.usefixtures("many")
def test_full_last_page_has_no_next_token(api: Caller) -> None:
    assert [len(page) for page in pages(api, "limit=5")] == [5]


@pytest.mark.usefixtures("many")
def test_total_is_counted_on_request(api: Caller) -> None:
    assert api.get("networks?count=true&limit=1&labels=env%3Dprod").body["total_count"] == 3
    assert "total_count" not in api.get("networks").body


@pytest.mark.usefixtures("many")
@in_one_cloud(
    ("selector", "expected"),
    [
        ("env=prod", ["n0", "n1", "n3"]),
        ("env=prod,app=a", ["n0"]),
        ("env=prod, tier!=web", ["n0", "n3"]),
        ("app in (a, b)", ["n0", "n1"]),
        ("env=prod,tier!=web,app in (a,c)", ["n0", "n3"]),
        ("tier!=web", ["n0", "n2", "n3", "n4"]),
        ("env=", []),
        ("", ["n0", "n1", "n2", "n3", "n4"]),
    ],
)
def test_label_selector_filters(api: Caller, selector: str, expected: list[str]) -> None:
    assert names(api, f"labels={quote(selector)}") == expected


@pytest.mark.usefixtures("many")
def test_list_filters_by_name_and_creation_time(api: Caller) -> None:
    moment = api.get("networks/n2").body["created_at"]
    assert names(api, "name=n2") == ["n2"]
    assert names(api, f"created_after={quote(moment)}") == ["n3", "n4"]


@in_one_cloud(
    ("query", "code", "parameter"),
    [
        ("colour=blue", "unknown_parameter", "colour"),
        ("limit=0", "invalid_parameter", "limit"),
        ("limit=201", "invalid_parameter", "limit"),
        ("limit=%C2%B2", "invalid_parameter", "limit"),
        ("limit=ten", "invalid_parameter", "limit"),
        ("count=yes", "invalid_parameter", "count"),
        ("sort=cidr", "invalid_parameter", "sort"),
        ("sort=project__organization__name", "invalid_parameter", "sort"),
        ("created_after=yesterday", "invalid_parameter", "created_after"),
        ("created_after=2026-01-01T00:00:00", "invalid_parameter", "created_after"),
        ("created_after=2026-13-01T00:00:00Z", "invalid_parameter", "created_after"),
        ("created_after=2026-W01-1T00:00:00Z", "invalid_parameter", "created_after"),
        ("created_after=0001-01-01T00:00:00%2B23:59", "invalid_parameter", "created_after"),
        ("limit=1&limit=2", "invalid_parameter", "limit"),
        ("name=a%00b", "invalid_parameter", "name"),
        ("labels=env", "invalid_parameter", "labels"),
        ("labels=env%3D%3Dprod", "invalid_parameter", "labels"),
        ("labels=app in (a", "invalid_parameter", "labels"),
        ("labels=" + "a" * 64 + "%3Dx", "invalid_parameter", "labels"),
        ("labels=" + "a%3Db," * 40, "invalid_parameter", "labels"),
        ("page_token=x", "invalid_parameter", "page_token"),
        ("page_token=WzEsMiwzXQ", "invalid_parameter", "page_token"),
        ("page_token=%FF", "invalid_parameter", "page_token"),
    ],
)
def test_contradictory_query_is_refused(api: Caller, query: str, code: str, parameter: str) -> None:
    answer = api.get(f"networks?{query.replace(' ', '%20')}")
    assert answer.problem == (400, code, parameter)


@pytest.mark.usefixtures("many")
def test_page_token_of_another_order_is_refused(api: Caller) -> None:
    token = api.get("networks?limit=1&sort=name").body["next_page_token"]
    assert api.get(f"networks?sort=-name&page_token={token}").problem == (400, "invalid_parameter", "page_token")


def test_unknown_state_is_refused(api: Caller, cloud: Cloud) -> None:
    assert api.get("instances?state=sleeping").problem == (400, "invalid_parameter", "state")
    assert api.get("instances?state=building&zone=fr-idf-1").body["items"] == []


def test_invalid_resource_id_is_refused(api: Caller, cloud: Cloud) -> None:
    assert api.get("operations?resource=web").problem == (400, "invalid_parameter", "resource")
