"""Images fetched from a web server: the real client against servers of this machine."""

import ipaddress
import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from django.db import connection
from pytest_django import Settings

from controlplane.catalog import image_quota, image_source
from controlplane.catalog.errors import ImageSourceUnavailable
from controlplane.catalog.models import Image
from controlplane.catalog.selectors import usable_image
from controlplane.catalog.services import NewImage, image_create, image_delete
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import safe_http
from controlplane.kernel.safe_http import is_public
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.workflows import image_import
from controlplane.workflows.operation_retry import operation_retry
from tests.limits import PATIENCE_S
from tests.services.catalog.disks import files_in, qcow2, sha256_of
from tests.workflows.helpers import Killed, altered, die, explode, followed_by_another_worker, then
from tests.world import run, run_next_attempt

pytestmark = pytest.mark.django_db

MIB = 2**20


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    announced: int | None = None
    drips: str = ""  # "head" or "body": that part comes byte by byte, and has no end


def content() -> None:
    """Want the transfer, whatever happens."""


class Site(ThreadingHTTPServer):
    """A web server of this machine that answers what a test says, path by path."""

    daemon_threads = True

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[tuple[str, str]] = []
        self.is_dripping = Event()
        self.is_over = Event()

    def url(self, path: str, *, host: str = "localhost") -> str:
        return f"http://{host}:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Host"]))
        answer = self.server.answers.get(self.path, Answer(404))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if answer.drips == "head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            return self.drip()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) if answer.announced is None else answer.announced))
        self.end_headers()
        if answer.drips == "body":
            return self.drip()
        self.wfile.write(answer.body)

    def drip(self) -> None:
        """A byte now and then, until the other side hangs up or the test is over."""
        self.server.is_dripping.set()
        self.close_connection = True
        with suppress(OSError):
            while not self.server.is_over.wait(0.1):
                self.wfile.write(b"x")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Site]:
    """A server on 127.0.0.1; with a certificate (PEM file with its key) it speaks TLS."""
    site = Site("127.0.0.1")
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        site.socket = context.wrap_socket(site.socket, server_side=True)
    thread = Thread(target=site.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        site.is_over.set()
        site.shutdown()
        thread.join()
        site.server_close()


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A server that the operator lists by name."""
    settings.IMAGE_IMPORT_PRIVATE_HOSTS = ["localhost"]
    with serving() as created:
        yield created


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return qcow2(tmp_path, content=os.urandom(MIB))


@dataclass
class Asking:
    member: Actor
    project: Project

    def __call__(self, url: str, **more: str) -> tuple[Image, Operation]:
        new = replace(NewImage(name="disk", format="qcow2", source_url=url), **more)  # type: ignore[arg-type]
        image, operation = image_create(self.member, self.project, new)
        assert operation is not None
        assert (image.state, operation.kind) == ("importing", "image.import")
        return image, operation

    def refused(self, url: str, **more: str) -> tuple[str, str]:
        """Code and sentence of the error with which the import ends."""
        image, operation = self(url, **more)
        run(operation)
        image.refresh_from_db()
        assert (operation.state, image.state) == ("failed", "error"), (operation.state, operation.error)
        assert operation.error is not None
        assert operation.error == image.last_error
        return operation.error["code"], operation.error["detail"]


@pytest.fixture
def asking(member: Actor, project: Project) -> Asking:
    return Asking(member, project)


def test_an_imported_image_becomes_available(asking: Asking, site: Site, disk: Path, images_dir: Path) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())

    image, operation = asking(site.url("/disk"), sha256=sha256_of(disk))

    assert run(operation).state == "succeeded", operation.error
    image = usable_image(asking.member, asking.project, "disk")
    assert (image.sha256, image.size_bytes) == (sha256_of(disk), disk.stat().st_size)
    assert image.virtual_size_bytes == 8 * MIB
    assert files_in(images_dir) == {image.sha256}
    assert [entry["name"] for entry in operation.steps] == ["fetch", "inspect", "publish"]
    assert site.asked == [("/disk", site.url("").removeprefix("http://"))]


def test_redirects_are_followed_up_to_three(asking: Asking, site: Site, disk: Path) -> None:
    for n in range(5):
        site.answers[f"/{n}"] = Answer(302, {"Location": f"/{n + 1}"})
    site.answers["/3"] = Answer(body=disk.read_bytes())
    _, operation = asking(site.url("/0"))
    assert run(operation).state == "succeeded", operation.error

    site.answers["/3"] = Answer(307, {"Location": "/4"})
    code, sentence = asking.refused(site.url("/0"), name="other")
    assert code == "catalog.image.source_failed"
    assert "redirects more than 3 times" in sentence


@pytest.mark.parametrize("settings_hosts", [[], ["images.example"]])
def test_private_address_is_refused_without_a_connection(
    asking: Asking, site: Site, settings: Settings, settings_hosts: list[str], images_dir: Path
) -> None:
    settings.IMAGE_IMPORT_PRIVATE_HOSTS = settings_hosts
    for n, host in enumerate(
        ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "10.0.0.1", "169.254.169.254", "2130706433")
    ):
        code, _ = asking.refused(site.url("/disk", host=host), name=f"image-{n}")
        assert code == "catalog.image.source_refused", host
    assert not site.asked
    assert files_in(images_dir) == set()


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/disk",
        "//127.0.0.2:{port}/disk",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://me:secret@localhost:{port}/disk",
        f"http://{'a' * 64}.example/",
    ],
)
def test_redirect_target_is_checked_like_the_first_address(
    asking: Asking, site: Site, disk: Path, location: str
) -> None:
    port = site.server_address[1]
    site.answers["/disk"] = Answer(302, {"Location": location.format(port=port)})
    assert asking.refused(site.url("/disk"))[0] == "catalog.image.source_refused"
    assert len(site.asked) == 1


def test_the_connection_goes_to_the_address_that_was_checked(
    asking: Asking, site: Site, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time is asked once."""
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    resolve = socket.getaddrinfo
    answers = [[(socket.AF_INET, socket.SOCK_STREAM, 6, "", site.server_address)]]
    monkeypatch.setattr(
        safe_http.socket,
        "getaddrinfo",
        lambda host, *more, **options: answers.pop() if host == "images.example" else resolve(host, *more, **options),
    )
    monkeypatch.setattr(safe_http, "is_public", lambda _: True)

    with image_source.fetch(site.url("/disk", host="images.example"), check=content) as chunks:
        assert b"".join(chunks) == disk.read_bytes()

    assert site.asked == [("/disk", site.url("", host="images.example").removeprefix("http://"))]


@pytest.mark.parametrize("name", ["localhost", "images.example"])
def test_a_certificate_must_be_for_the_name_in_the_url(
    disk: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings.IMAGE_IMPORT_PRIVATE_HOSTS = ["localhost"]
    certificate = self_signed(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetched: list[bytes] = []
    with serving(certificate) as site:
        site.answers["/disk"] = Answer(body=disk.read_bytes())
        url = site.url("/disk").replace("http:", "https:")
        expected = nullcontext() if name == "localhost" else pytest.raises(ImageSourceUnavailable)
        with expected, image_source.fetch(url, check=content) as chunks:
            fetched.extend(chunks)
    assert b"".join(fetched) == (disk.read_bytes() if name == "localhost" else b"")


def self_signed(folder: Path, name: str) -> Path:
    """A key and a certificate for the DNS name that vouches for itself, in one PEM file."""
    path = folder / "site.pem"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path))
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2")
    subprocess.run(["openssl", "req", "-x509", *key, *subject, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.0.8", False),
        ("198.18.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("3fff::1", False),
        ("5f00::1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:1::1", False),
        ("2001:db8::1", False),
    ],
)
def test_public_addresses_are_recognized(text: str, expected: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) is expected


def test_wrong_digest_fails_the_import_and_leaves_no_files(
    asking: Asking, site: Site, disk: Path, images_dir: Path
) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    code, sentence = asking.refused(site.url("/disk"), sha256="0" * 64)
    assert code == "catalog.image.digest_mismatch"
    assert sha256_of(disk) in sentence
    assert files_in(images_dir) == set()


@pytest.mark.parametrize("announced", [None, 10 * MIB])
def test_oversized_transfer_is_refused(
    asking: Asking, site: Site, disk: Path, images_dir: Path, settings: Settings, announced: int | None
) -> None:
    settings.IMAGE_MAX_BYTES = 4096
    site.answers["/disk"] = Answer(body=disk.read_bytes(), announced=announced)
    assert asking.refused(site.url("/disk"))[0] == "catalog.image.too_large"
    assert files_in(images_dir) == set()


def test_image_with_a_false_format_is_refused(asking: Asking, site: Site, disk: Path, images_dir: Path) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    code, sentence = asking.refused(site.url("/disk"), format="raw")
    assert code == "catalog.image.refused"
    assert "lies about its format" in sentence
    assert files_in(images_dir) == set()


def test_missing_file_fails_the_import_without_retry(asking: Asking, site: Site) -> None:
    code, sentence = asking.refused(site.url("/nothing"))
    assert code == "catalog.image.source_failed"
    assert "answered 404" in sentence
    assert len(site.asked) == 1


def test_interrupted_transfer_is_retried(asking: Asking, site: Site, disk: Path, images_dir: Path) -> None:
    whole = disk.read_bytes()
    site.answers["/disk"] = [
        Answer(body=whole[:5000], announced=len(whole)),
        Answer(503),
        Answer(body=whole),
    ]
    _, operation = asking(site.url("/disk"))

    for attempts in (1, 2):
        (run if attempts == 1 else run_next_attempt)(operation)
        assert (operation.state, operation.attempts) == ("running", attempts)
        assert files_in(images_dir) == set()
    assert run_next_attempt(operation).state == "succeeded"


def test_unresponsive_server_fails_the_import(asking: Asking, settings: Settings) -> None:
    settings.IMAGE_IMPORT_PRIVATE_HOSTS = ["localhost"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        _, operation = asking(f"http://localhost:{unused.getsockname()[1]}/disk")
        run(operation)
        while operation.state == "running":
            run_next_attempt(operation)
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error["code"] == "catalog.image.source_failed"
    assert "connection" in operation.error["detail"]


@pytest.mark.parametrize("step", ["fetch", "inspect", "publish"])
def test_import_continues_after_a_worker_died(
    asking: Asking, site: Site, disk: Path, images_dir: Path, step: str
) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    _, operation = asking(site.url("/disk"))
    with pytest.raises(Killed):
        run(operation, altered(image_import.WORKFLOW, step, then(die)))

    assert followed_by_another_worker(operation).state == "succeeded"
    assert files_in(images_dir) == {sha256_of(disk)}


@pytest.mark.parametrize("step", ["fetch", "inspect"])
def test_failed_import_leaves_no_files(asking: Asking, site: Site, disk: Path, images_dir: Path, step: str) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    image, operation = asking(site.url("/disk"))
    run(operation, altered(image_import.WORKFLOW, step, then(explode)))

    image.refresh_from_db()
    assert (operation.state, image.state) == ("failed", "error")
    assert files_in(images_dir) == set()


def test_a_cancelled_import_stops_and_leaves_nothing(asking: Asking, site: Site, disk: Path, images_dir: Path) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    image, operation = asking(site.url("/disk"))
    operation_cancel(asking.member, operation)

    run(operation)

    image.refresh_from_db()
    assert (operation.state, image.state) == ("cancelled", "error")
    assert files_in(images_dir) == set()


def test_retried_import_fetches_the_image_anew(asking: Asking, site: Site, disk: Path) -> None:
    """The bytes that were refused are not what the image was declared to have."""
    site.answers["/disk"] = Answer(body=b"no image at all")
    image, failed = asking(site.url("/disk"))
    assert run(failed).state == "failed"
    site.answers["/disk"] = Answer(body=disk.read_bytes())

    retried = operation_retry(replace(asking.member, organization_id=asking.project.organization_id), failed)

    assert run(retried).state == "succeeded", retried.error
    assert (retried.retry_of, failed.retried_by) == (failed.pk, retried.pk)
    assert usable_image(asking.member, asking.project, "disk").sha256 == sha256_of(disk)


def test_deletion_stops_the_import(asking: Asking, site: Site, disk: Path, images_dir: Path) -> None:
    site.answers["/disk"] = Answer(body=disk.read_bytes())
    image, operation = asking(site.url("/disk"))
    image_delete(asking.member, image)

    run(operation)

    image.refresh_from_db()
    assert (operation.state, image.state) == ("cancelled", "deleted")
    assert files_in(images_dir) == set()


def cancelled(asking: Asking, operation: Operation) -> None:
    operation_cancel(asking.member, operation)


def deleted(asking: Asking, operation: Operation) -> None:
    image_delete(asking.member, Image.objects.get(pk=operation.resource_id))


def too_late(asking: Asking, operation: Operation) -> None:
    """Nothing happens, but for the deadline that comes."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", ["head", "body"])
@pytest.mark.parametrize(
    ("end", "state"),
    [(cancelled, "cancelled"), (deleted, "cancelled"), (too_late, "failed")],
    ids=["cancel", "delete", "deadline"],
)
def test_slow_server_delays_neither_cancellation_nor_deadline(
    asking: Asking, site: Site, images_dir: Path, part: str, end: Callable[[Asking, Operation], None], state: str
) -> None:
    site.answers["/disk"] = Answer(announced=MIB, drips=part)
    _, operation = asking(site.url("/disk"))
    if end is too_late:
        Operation.objects.update(deadline_at=operation.created_at + timedelta(seconds=3))

    def work() -> None:
        run(Operation.objects.get(pk=operation.pk))
        connection.close()

    worker = Thread(target=work)
    worker.start()
    try:
        assert site.is_dripping.wait(PATIENCE_S)
        end(asking, operation)
        worker.join(PATIENCE_S)
        assert not worker.is_alive(), "the server still has the worker's thread"
    finally:
        site.is_over.set()
        worker.join(PATIENCE_S)
    operation.refresh_from_db()
    assert operation.state == state
    assert files_in(images_dir) == set()
    if end is too_late:
        assert operation.error is not None
        assert operation.error["detail"].endswith("the server is too slow.")


def test_transfer_over_the_quota_is_stopped(
    asking: Asking, site: Site, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_quota, "GIB", MIB)
    site.answers["/disk"] = Answer(body=qcow2(tmp_path, content=os.urandom(3 * MIB)).read_bytes())  # a little more
    limit = Quota.objects.create(project=asking.project, dimension="image_gib", limit=1)
    written: list[int] = []
    need_room = image_quota.need_room
    monkeypatch.setattr(image_quota, "need_room", lambda image, size: written.append(size) or need_room(image, size))
    code, sentence = asking.refused(site.url("/disk"))
    assert code == "quota_exceeded" and "image_gib" in sentence
    assert len(written) == 2 and written[0] <= MIB < written[1]
    assert not list((settings.IMAGES_DIR / "incoming").iterdir())
    assert not QuotaUse.objects.exists()
    Quota.objects.filter(pk=limit.pk).update(limit=4)
    image, operation = asking(site.url("/disk"), name="other")
    assert run(operation).state == "succeeded"
    assert QuotaUse.objects.get(resource_id=image.pk, dimension="image_gib").amount == 4
