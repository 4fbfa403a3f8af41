"""Images: made, uploaded as a stream, refused when they are not what they say."""

import hashlib
import socket
from pathlib import Path

import pytest
from django.http import HttpRequest
from pytest_django import Settings

from controlplane.catalog import image_store
from controlplane.catalog.models import Image
from controlplane.kernel import uploads
from controlplane.operations.models import Operation
from controlplane.quotas.models import Quota
from controlplane.reconcilers import quota_drift
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.services.catalog.disks import qcow2
from tests.world import Cloud, run

NEW = {"name": "mine", "format": "qcow2"}


@pytest.fixture
def disk(tmp_path: Path) -> bytes:
    folder = tmp_path / "disk"
    folder.mkdir()
    return qcow2(folder, content=b"boot").read_bytes()


def test_image_is_uploaded_and_verified(api: Caller, cloud: Cloud, disk: bytes) -> None:
    answer = api.post("images", NEW | {"firmware": "uefi", "labels": {"os": "debian"}})
    body = answer.body
    assert (answer.status, body["state"], body["operation"], body["is_public"]) == (201, "awaiting-upload", None, False)
    answer = api.upload("images/mine/file", disk)
    assert (answer.status, answer.body["state"], answer.operation["kind"]) == (202, "verifying", "image.verify")
    finish(answer)
    shown = api.get("images/mine").body
    assert (shown["state"], shown["size_bytes"]) == ("available", len(disk))
    assert shown["sha256"] == hashlib.sha256(disk).hexdigest()
    assert api.patch("images/mine", {"labels": {"os": None}}).body["labels"] == {}
    assert [each["name"] for each in api.get("images?sort=name").body["items"]] == ["mine", "tiny"]
    assert api.delete("images/mine").status == 204
    assert api.get("images/mine").problem == (404, "catalog.image.not_found", None)


def test_image_with_a_wrong_format_is_refused(api: Caller, cloud: Cloud) -> None:
    api.post("images", NEW)
    answer = api.upload("images/mine/file", b"#!/bin/sh\n" * 100)
    run(Operation.objects.get(pk=answer.operation["id"]))
    shown = api.get("images/mine").body
    assert (shown["state"], shown["last_error"]["code"]) == ("error", "catalog.image.refused")
    answer = api.post("instances", {"name": "web", "flavor": "tiny", "image": "mine"})
    assert answer.problem == (409, "catalog.image.not_ready", "/image")


def test_image_with_a_wrong_digest_is_refused(api: Caller, cloud: Cloud) -> None:
    api.post("images", NEW | {"sha256": "0" * 64})
    assert api.upload("images/mine/file", b"x").problem == (422, "catalog.image.digest_mismatch", None)
    assert api.get("images/mine").body["state"] == "awaiting-upload"


def test_file_needs_its_media_type(api: Caller, cloud: Cloud) -> None:
    api.post("images", NEW)
    answer = api.send("PUT", "images/mine/file", b"{}", content_type="application/json")
    assert answer.problem == (415, "media_type_not_supported", None)


def test_interrupted_upload_is_refused(api: Caller, cloud: Cloud) -> None:
    api.post("images", NEW)
    answer = api.upload("images/mine/file", b"half", declared_bytes=8)
    assert answer.problem == (400, "upload_interrupted", None)
    assert api.get("images/mine").body["state"] == "awaiting-upload"


def test_only_an_operator_creates_a_public_image(api: Caller, cloud: Cloud) -> None:
    assert api.delete("images/tiny").problem == (403, "catalog.image.not_owned", None)


def test_an_import_begins_at_once(api: Caller, cloud: Cloud) -> None:
    answer = api.post("images", NEW | {"source_url": "https://example.org/disk.qcow2"})
    assert (answer.body["state"], answer.operation["kind"]) == ("importing", "image.import")
    assert Image.objects.get(name="mine").state == "importing"


@in_one_cloud(
    ("wrong", "code", "pointer"),
    [
        ({"format": "vmdk"}, "invalid_request", "/format"),
        ({"format": 1}, "invalid_request", "/format"),
        ({"firmware": "openfirmware"}, "invalid_request", "/firmware"),
        ({"sha256": "abc"}, "invalid_request", "/sha256"),
        ({"min_memory_mib": -1}, "invalid_request", "/min_memory_mib"),
        ({"source_url": "file:///etc/passwd"}, None, "/source_url"),
    ],
)
def test_contradictory_image_is_refused(
    api: Caller, cloud: Cloud, wrong: dict[str, object], code: str | None, pointer: str
) -> None:
    status, problem_code, field = api.post("images", NEW | wrong).problem
    assert status in (400, 422)
    assert problem_code == (code or "catalog.image.source_refused")
    assert field == pointer
    assert not Image.objects.filter(name="mine").exists()


def test_slow_upload_is_ended(api: Caller, cloud: Cloud, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client neither sends the rest nor hangs up; the connection is passed like gunicorn passes it."""
    settings.UPLOAD_MIN_BYTES_PER_S = 2**40
    monkeypatch.setattr(uploads, "GRACE_S", 0)
    api.post("images", NEW)
    client, server = socket.socketpair()
    with client, server, server.makefile("rb") as body:
        client.sendall(b"half")
        own = {"wsgi.input": body, uploads.SOCKET: server, "CONTENT_LENGTH": "8"}
        answer = api.send("PUT", "images/mine/file", b"half", content_type="application/octet-stream", environ=own)
    assert answer.problem == (400, "upload_interrupted", None)


def test_uploads_beyond_the_free_slots_must_wait(api: Caller, cloud: Cloud, settings: Settings, disk: bytes) -> None:
    settings.UPLOADS_PER_PROCESS = 1
    uploads._places.cache_clear()
    api.post("images", NEW)
    try:
        with uploads.upload_slot(HttpRequest(), 1):
            assert api.upload("images/mine/file", disk).problem == (503, "uploads_exhausted", None)
        assert api.upload("images/mine/file", disk).status == 202
    finally:
        uploads._places.cache_clear()


def test_image_quota_counts_bytes_and_refuses_a_larger_file(
    api: Caller, cloud: Cloud, disk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that does not fit is refused by what is announced, before any byte is read."""
    limit = Quota.objects.create(project=cloud.tenant.project, dimension="image_gib", limit=0)
    api.post("images", NEW)
    with monkeypatch.context() as without:
        without.setattr(image_store, "receive", lambda *given, **more: pytest.fail("bytes were read"))
        refused = api.upload("images/mine/file", disk)
    assert refused.problem == (409, "quota_exceeded", None)
    assert (refused.body["facts"]["dimension"], refused.body["facts"]["requested"]) == ("image_gib", 1)
    assert api.get("images/mine").body["state"] == "awaiting-upload"
    Quota.objects.filter(pk=limit.pk).update(limit=1)
    finish(api.upload("images/mine/file", disk))
    assert {each["dimension"]: each["used"] for each in api.get("limits").body["items"]}["image_gib"] == 1
    assert quota_drift.reconcile() == []
    api.post("images", NEW | {"name": "other"})
    assert api.upload("images/other/file", disk).problem == (409, "quota_exceeded", None)
    api.delete("images/mine")
    finish(api.upload("images/other/file", disk))
    assert quota_drift.reconcile() == []
