"""The links of the OpenAPI document: what can be done next with what an answer names."""

from typing import Any

from tests.api.contract import contract


def links(method: str, path: str, status: str) -> dict[str, Any]:
    result: dict[str, Any] = contract()["paths"][path][method]["responses"][status].get("links", {})
    return result


def test_created_resource_links_to_its_operations() -> None:
    targets = links("post", "/v1/projects/{project}/instances", "201")
    assert {"instance_get", "instance_delete", "instance_start", "instance_console_log", "operation_get"} <= set(
        targets
    )
    assert targets["attachment_create"] == {
        "operationId": "attachment_create",
        "parameters": {"project": "$request.path.project", "instance": "$response.body#/id"},
    }
    assert not {"instance_list", "attachment_get", "volume_get"} & set(targets)


def test_project_link_needs_no_organization() -> None:
    targets = links("post", "/v1/organizations/{organization}/projects", "201")
    assert targets["project_get"]["parameters"] == {"project": "$response.body#/id"}


def test_answer_with_an_operation_links_to_it() -> None:
    targets = links("post", "/v1/projects/{project}/volumes/{volume}/actions/grow", "202")
    platform = {"operation_retry", "operation_resolve", "platform_operation_get"}
    assert targets.keys() == {"operation_get", "operation_cancel", *platform}
    assert targets["operation_get"]["parameters"]["operation"] == "$response.body#/operation/id"


def test_answer_without_an_operation_links_to_none() -> None:
    assert "operation_get" not in links("post", "/v1/projects/{project}/images", "201")


def test_dry_run_answer_has_no_links() -> None:
    assert links("post", "/v1/projects/{project}/volumes", "200") == {}


def test_links_name_existing_parameters_and_members() -> None:
    paths = contract()["paths"].items()
    targets = {each["operationId"]: path for path, operations in paths for each in operations.values()}
    for path, operations in paths:
        for operation in operations.values():
            for response in operation["responses"].values():
                for link in response.get("links", {}).values():
                    assert all(f"{{{name}}}" in targets[link["operationId"]] for name in link["parameters"])
                    of_request = [each for each in link["parameters"].values() if each.startswith("$request")]
                    assert all(f"{{{each.rpartition('.')[2]}}}" in path for each in of_request)
