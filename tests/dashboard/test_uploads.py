"""Files in forms: nothing of a file is written when the user may not upload."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from controlplane.dashboard import uploads
from tests.dashboard.conftest import SignIn
from tests.world import Cloud

BOUNDARY = "form"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
FILE_BYTES = 512 * 1024
READ_MAX_BYTES = 128 * 1024  # Django reads pieces of 64 KiB


class Watched(io.BytesIO):
    """A body that looks, at each read of it, for what was written of it by then."""

    def __init__(self, data: bytes, folder: Path) -> None:
        super().__init__(data)
        self.folder = folder
        self.written: set[str] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.look()
        return super().read(size)

    def look(self) -> None:
        self.written |= {each.name for each in self.folder.iterdir()}


def form(*parts: tuple[str, bytes]) -> bytes:
    """Fields, and files: those whose names have a dot."""
    text = b""
    for name, data in parts:
        file = f'; filename="{name}"' if "." in name else ""
        text += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name.partition(".")[0]}"{file}\r\n\r\n'.encode()
        )
        text += data + b"\r\n"
    return text + f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """Return the folder in which Django would write files of forms."""
    created = tmp_path / "temporary"
    created.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(created)
    return created


def send(browser: Client, path: str, data: bytes, *, folder: Path, **more: str) -> tuple[Any, Watched]:
    """Send the form by POST, or by `method`."""
    body = Watched(data, folder)
    environ = {"CONTENT_TYPE": MULTIPART, "CONTENT_LENGTH": str(len(data)), "wsgi.input": body, **more}
    answer = browser.generic(environ.pop("method", "POST"), path, **environ)
    body.look()
    return answer, body


def paths(patterns: Any, before: str = "") -> Iterator[str]:
    """An address of each page and route."""
    for each in patterns:
        here = before + re.sub(r"<(?:\w+:)?\w+>", "x", str(each.pattern))
        if isinstance(each, URLResolver):
            yield from paths(each.url_patterns, here)
        else:
            assert isinstance(each, URLPattern)
            yield f"/{here}"


def stranger() -> Client:
    """With a CSRF cookie, which anybody can make: without one the form would not even be looked at."""
    browser = Client(enforce_csrf_checks=True)
    browser.cookies[configured.CSRF_COOKIE_NAME] = "a" * 32
    return browser


@pytest.mark.parametrize("size", [FILE_BYTES, 6 * FILE_BYTES])
def test_unauthenticated_upload_writes_no_file(db: None, folder: Path, settings: Settings, size: int) -> None:
    settings.RATE_ANONYMOUS_PER_MIN = 0
    data, wrong, count = form(("a", b"b"), ("file.img", b"x" * size)), [], 0
    for path in paths(get_resolver().url_patterns):
        for method in ("POST", "PUT"):
            answer, body = send(stranger(), path, data, folder=folder, method=method)
            count += 1
            if body.written or body.tell() > READ_MAX_BYTES or answer.status_code in (200, 500):
                wrong.append((method, path, answer.status_code, body.tell(), body.written))
    assert count > 400
    assert wrong == []


def test_oversized_form_is_not_read(db: None, folder: Path, settings: Settings) -> None:
    data = form(("a", b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
    answer, body = send(stranger(), "/sign-in", data, folder=folder)
    assert (answer.status_code, body.tell()) == (400, 0)


@pytest.fixture
def page(member: Client, home: str) -> str:
    answer = member.post(f"{home}/images/new", {"name": "mine", "format": "qcow2", "firmware": "bios"})
    assert answer.status_code == 302
    return str(answer["Location"])


def test_upload_without_permission_writes_no_file(page: str, signed_in: SignIn, folder: Path) -> None:
    viewer = signed_in("viewer")
    answer, body = send(viewer, f"{page}/file", form(("file.img", b"x" * FILE_BYTES)), folder=folder)
    assert (answer.status_code, answer["Location"], body.tell(), body.written) == (302, page, 0, set())
    assert "does not allow this" in viewer.get(page).content.decode()


def test_form_without_a_csrf_token_writes_no_file(page: str, member: Client, folder: Path) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = member.cookies
    data = form(("file.img", b"x" * FILE_BYTES))
    answer, body = send(strict, f"{page}/file", data, folder=folder, HTTP_ORIGIN="https://elsewhere.example")
    assert (answer.status_code, body.tell(), body.written) == (403, 0, set())
    assert strict.put(f"{page}/file", b"x", content_type="application/octet-stream").status_code == 403
    assert send(strict, f"{page}/file", form(("file.img", b"x")), folder=folder)[0].status_code == 403


def test_form_with_several_or_oversized_files_is_refused(
    page: str, member: Client, folder: Path, settings: Settings, cloud: Cloud
) -> None:
    two = form(("file.img", b"x" * 10), ("file.qcow2", b"x" * FILE_BYTES))
    assert send(member, f"{page}/file", two, folder=folder)[0].status_code == 400
    settings.IMAGE_MAX_BYTES = 1000
    large = form(("file.img", b"x" * (1001 + uploads.FORM_MAX_BYTES)))
    answer, body = send(member, f"{page}/file", large, folder=folder)
    assert (answer.status_code, body.tell()) == (400, 0)
    assert list(folder.iterdir()) == []
