"""Images from files, identified by content, and from other sources."""

from pathlib import Path

import pytest

from scripts.api import Api
from scripts.terraform import Workspace
from tests.terraform.fake_cloud import make_image
from tests.terraform.test_resources import block

pytestmark = pytest.mark.slow


def test_image_is_uploaded_and_identified_by_content(tf: Workspace, api: Api, tmp_path: Path) -> None:
    one, two = make_image(tmp_path / "one.qcow2"), make_image(tmp_path / "two.qcow2")
    lines = ('name = "mine"', 'format = "qcow2"')
    tf.write(block("image", *lines, f'source_file = "{one}"')).apply()
    tf.assert_no_changes()
    first = tf.state()["andromede_image.it"]
    assert api.get(f"images/{first['id']}")["state"] == "available"
    copied = tmp_path / "copied.qcow2"
    copied.write_bytes(one.read_bytes())
    tf.write(block("image", *lines, f'source_file = "{copied}"', 'labels = { os = "none" }'))
    assert "must be replaced" not in tf.plan()
    tf.apply()
    tf.write(block("image", *lines, f'source_file = "{two}"'))
    assert "must be replaced" in tf.plan()
    tf.apply()
    tf.assert_no_changes()
    assert tf.state()["andromede_image.it"]["sha256"] != first["sha256"]
    two.write_bytes(one.read_bytes())
    assert "must be replaced" in tf.plan()
    tf.destroy()


def test_an_image_from_an_address_that_is_not_public_is_refused(tf: Workspace) -> None:
    tf.write(block("image", 'name = "mine"', 'format = "qcow2"', 'source_url = "http://127.0.0.1:1/x.qcow2"'))
    assert "image source is not allowed" in tf.refused()


def test_an_image_has_one_source(tf: Workspace) -> None:
    assert "No source" in tf.write(block("image", 'name = "mine"', 'format = "qcow2"')).refused()
