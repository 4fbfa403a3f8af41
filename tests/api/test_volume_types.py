"""Volume types: operators write them, projects see and use those that are theirs."""

from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.catalog.catalogue_import import offers_import
from controlplane.catalog.models import VolumeType
from controlplane.identity.actor import SYSTEM
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.world import Cloud, make_tenant

URL = "/v1/volume-types"
FAST: dict[str, Any] = {"id": "fast", "description": "10 IOPS for each GiB", "iops": 50, "iops_per_gib": 10}


@pytest.fixture
def fast(operator: Caller, cloud: Cloud) -> dict[str, Any]:
    answer = operator.post(URL, FAST)
    assert (answer.status, answer.headers["Location"]) == (201, f"{URL}/fast")
    return answer.body


def ids(caller: Caller, url: str = URL) -> list[str]:
    return [each["id"] for each in caller.get(url).body["items"]]


def test_type_is_created_changed_and_deleted(operator: Caller, api: Caller, fast: dict[str, Any]) -> None:
    assert (fast["pool"], fast["iops"], fast["mb_per_s"], fast["is_retired"]) == ("", 50, 0, False)
    assert operator.post(URL, FAST).problem == (409, "catalog.volume_type.taken", "/id")
    changed = operator.patch(f"{URL}/fast", {"mb_per_s": 100, "description": "fast"}).body
    assert (changed["mb_per_s"], changed["iops"], changed["description"]) == (100, 50, "fast")
    assert changed["generation"] == fast["generation"] + 1
    assert api.get(f"{URL}/fast").body == changed | {"organizations": None}
    assert operator.delete(f"{URL}/fast").status == 204
    assert operator.get(f"{URL}/fast").problem[:2] == (404, "catalog.volume_type.not_found")
    verbs = AuditEntry.objects.filter(verb__startswith="volume_type.").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["volume_type.create", "volume_type.update", "volume_type.delete"]


def test_local_type_has_no_pool(operator: Caller, cloud: Cloud) -> None:
    VolumeType.objects.all().delete()
    answer = operator.post(URL, {"id": "local", "description": "here", "pool": "flash"})
    assert answer.problem == (422, "catalog.volume_type.invalid", "/pool")


def test_type_of_some_organizations_is_seen_by_no_other(operator: Caller, api: Caller, fast: dict[str, Any]) -> None:
    beta = make_tenant("beta").project.organization
    shown = operator.patch(f"{URL}/fast", {"organizations": ["beta-org"]}).body
    assert shown["organizations"] == [{"id": str(beta.pk), "name": "beta-org"}]
    assert (ids(api), ids(api, "volume-types")) == (["local"], ["local"])
    assert ids(operator) == ["fast", "local"]
    assert api.get(f"{URL}/fast").problem[:2] == (404, "catalog.volume_type.not_found")
    refused = api.post("volumes", {"name": "data", "size_gib": 1, "volume_type": "fast"})
    assert refused.problem == (422, "catalog.volume_type.not_found", "/volume_type")
    web = {"name": "web", "flavor": "tiny", "image": "tiny", "root_volume_type": "fast"}
    assert api.post("instances", web).problem == (422, "catalog.volume_type.not_found", "/root_volume_type")
    operator.patch(f"{URL}/fast", {"organizations": ["beta-org", "alpha-org"]})
    assert api.get(f"{URL}/fast").body["organizations"] is None
    assert ids(api, "volume-types") == ["fast", "local"]


def test_retired_type_takes_no_new_volumes(operator: Caller, api: Caller, fast: dict[str, Any]) -> None:
    finish(api.post("volumes", {"name": "data", "size_gib": 10, "volume_type": "fast"}))
    assert api.get("volumes/data").body["limits"] == {"iops": 100, "mb_per_s": None}
    operator.patch(f"{URL}/fast", {"is_retired": True})
    assert (ids(api), ids(api, "volume-types")) == (["fast", "local"], ["local"])
    refused = api.post("volumes", {"name": "more", "size_gib": 1, "volume_type": "fast"})
    assert refused.problem == (409, "catalog.volume_type.retired", "/volume_type")
    finish(api.post("volumes/data/actions/grow", {"size_gib": 20}))
    assert api.get("volumes/data").body["limits"]["iops"] == 200
    finish(api.post("volumes/data/actions/retype", {"volume_type": "local"}))
    back = api.post("volumes/data/actions/retype", {"volume_type": "fast"})
    assert back.problem == (409, "catalog.volume_type.retired", "/volume_type")


def test_type_that_a_deleted_volume_had_is_kept(operator: Caller, api: Caller, fast: dict[str, Any]) -> None:
    finish(api.post("volumes", {"name": "data", "size_gib": 1, "volume_type": "fast"}))
    finish(api.delete("volumes/data"))
    assert operator.delete(f"{URL}/fast").problem[:2] == (409, "catalog.volume_type.in_use")
    assert VolumeType.objects.filter(pk="fast").exists()


def test_retype_changes_type_and_limits(api: Caller, fast: dict[str, Any], volume: Volume) -> None:
    dry = api.post("volumes/data/actions/retype?dry_run=true", {"volume_type": "fast"})
    assert (dry.status, api.get("volumes/data").body["volume_type"]) == (200, "local")
    answer = api.post("volumes/data/actions/retype", {"volume_type": "fast"})
    assert (answer.status, answer.operation["kind"]) == (202, "volume.retype")
    finish(answer)
    shown = api.get("volumes/data").body
    assert (shown["volume_type"], shown["limits"]["iops"]) == ("fast", 50)


def test_import_leaves_what_the_api_has_set(operator: Caller, cloud: Cloud) -> None:
    kinds = [{"id": "local", "description": "of the file"}, {"id": "shared", "description": "shared", "pool": "nfs"}]
    offers = {"schema": "andromede.offers/1", "flavors": [], "volume_types": kinds}
    VolumeType.objects.filter(pk="local").update(is_imported=True)
    assert offers_import(SYSTEM, offers).changed == 2
    operator.patch(f"{URL}/shared", {"description": "of the API", "iops": 500})
    assert offers_import(SYSTEM, offers).changed == 0
    kept = VolumeType.objects.get(pk="shared")
    assert (kept.description, kept.iops) == ("of the API", 500)
    assert VolumeType.objects.get(pk="local").description == "of the file"
