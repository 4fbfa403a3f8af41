"""Examples of organizations, projects, members, service accounts, tokens, quotas."""

from tests.api.examples.sample_cloud import SampleCloud


def organizations(story: SampleCloud) -> None:
    book, ada, oscar = story.book, story.ada, story.oscar
    book.show(ada, "organization_list")
    book.show(ada, "organization_get")
    book.show(ada, "organization_update")
    book.do(oscar, "organization_create", {"name": "umbrella"})
    book.show(oscar, "organization_delete", organization="umbrella")
    book.show(ada, "project_create")
    book.show(ada, "project_list", query={"labels": "env=prod"})
    book.show(ada, "project_get")
    book.show(ada, "project_update")
    book.do(ada, "project_create", {"name": "sandbox"})
    book.show(ada, "project_delete", project="sandbox")


def members(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    invited = book.show(ada, "invitation_create").body
    book.show(ada, "invitation_list")
    book.show(story.nobody, "invitation_accept", {"token": invited["token"]})
    carol = book.do(ada, "invitation_create", {"email": "carol@acme.example", "role": "viewer"}).body
    book.show(ada, "invitation_revoke", invitation=carol["id"])
    book.show(ada, "member_list", query={"sort": "created_at"})
    book.show(ada, "member_get", member="bob@acme.example")
    book.show(ada, "member_update", member="bob@acme.example")
    book.show(ada, "member_remove", member="bob@acme.example")
    book.show(ada, "me_get")


def service_accounts(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "service_account_create")
    book.show(ada, "service_account_list")
    book.show(ada, "service_account_get", service_account="ci")
    token = book.show(ada, "service_account_token_create", service_account="ci").body
    book.show(ada, "service_account_token_list", service_account="ci")
    book.show(ada, "organization_token_list", query={"name": "terraform"})
    book.show(ada, "organization_token_revoke", token=token["id"])
    book.show(ada, "service_account_update", service_account="ci")
    book.show(ada, "service_account_delete", service_account="ci")


def tokens(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    own = book.show(ada, "own_token_create").body
    book.show(ada, "own_token_list", query={"name": "terraform"})
    book.show(ada, "own_token_revoke", token=own["id"])
    token = book.show(ada, "token_create").body
    book.show(ada, "token_list", query={"name": "ci"})
    book.show(ada, "token_revoke", token=token["id"])


def quotas(story: SampleCloud) -> None:
    book, ada, oscar = story.book, story.ada, story.oscar
    current = {"If_Match": '"0"'}
    book.show(oscar, "organization_quotas_set", headers=current)
    book.show(ada, "organization_quotas_get")
    book.show(ada, "quotas_set", {"limits": {"instances": 10, "vcpus": 20}}, headers=current)
    book.show(ada, "quotas_get")
    request_ids = [book.show(ada, "quota_request_create").body["id"]]
    request_ids += [book.do(ada, "quota_request_create", _more(name)).body["id"] for name in ("instances", "volumes")]
    book.show(ada, "quota_request_list", query={"state": "pending"})
    book.show(ada, "quota_request_get", quota_request=request_ids[0])
    book.show(oscar, "quota_request_approve", quota_request=request_ids[0])
    no = {"reason": "The zone is full until March."}
    book.show(oscar, "quota_request_refuse", no, quota_request=request_ids[1])
    book.show(ada, "quota_request_withdraw", quota_request=request_ids[2])


def _more(dimension: str) -> dict[str, object]:
    return {"dimension": dimension, "limit": 5000, "reason": "The yearly load test."}


def limits(story: SampleCloud) -> None:
    """Show quotas with usage."""
    story.book.show(story.ada, "limits_get")
    story.book.show(story.ada, "organization_limits_get")
