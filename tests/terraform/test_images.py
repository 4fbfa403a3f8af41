"""Images from files, identified by content, and from other sources."""

from pathlib import Path

import pytest

from scripts.api import Api
from scripts.terraform import Workspace
from tests.terraform.fake_cloud import make_image
from tests.terraform.test_resources import SHARED, TAKEN, block

pytestmark = pytest.mark.slow

IMAGE_OF = 'resource "andromede_image" "%s" {\n  name = "%s"\n  format = "qcow2"\n%s\n}\n'
UEFI = 'firmware = "uefi"\nmin_memory_mib = 64'


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


@pytest.mark.nightly
def test_image_of_a_volume_and_of_a_snapshot_boots_as_the_image_they_began_as(tf: Workspace, api: Api) -> None:
    tf.write(block("image", 'name = "mine"', 'format = "qcow2"', f'source_file = "{make_image(tf.folder / "m")}"'))
    tf.apply()
    assert {tf.state()["andromede_image.it"][name] for name in ("firmware", "min_memory_mib")} == {"bios", 0}
    began = IMAGE_OF % ("began", "began", f'source_file = "{make_image(tf.folder / "began")}"\n{UEFI}')
    source = began + SHARED % ("data", "data", "  image = andromede_image.began.id") + TAKEN % ("then", "then")
    of_volume = IMAGE_OF % ("now", "now", "volume = andromede_volume.data.name")
    of_snapshot = IMAGE_OF % ("then", "of-then", "snapshot = andromede_volume_snapshot.then.name")
    of_snapshot = of_snapshot.replace('  format = "qcow2"\n', "")
    tf.write(source + of_volume + of_snapshot).apply()
    tf.assert_no_changes()
    made = tf.state()
    for name in ("now", "then"):
        image = made[f"andromede_image.{name}"]
        assert (image["format"], image["firmware"], image["min_memory_mib"]) == ("qcow2", "uefi", 64)
        assert api.get(f"images/{image['id']}")["state"] == "available"
    by_id = (of_volume + of_snapshot).replace("data.name", "data.id").replace("then.name", "then.id")
    tf.write(source + by_id).assert_no_changes()
    tf.write(
        source
        + by_id.replace("volume = andromede_volume.data.id", 'volume = andromede_volume.data.id\nfirmware = "bios"')
    )
    assert "must be replaced" in tf.plan()
    tf.destroy()
    assert api.get("volumes")["items"] == api.get("snapshots")["items"] == []


def test_an_image_from_an_address_that_is_not_public_is_refused(tf: Workspace) -> None:
    tf.write(block("image", 'name = "mine"', 'format = "qcow2"', 'source_url = "http://127.0.0.1:1/x.qcow2"'))
    assert "image source is not allowed" in tf.refused()


def test_an_image_has_one_source(tf: Workspace) -> None:
    assert "No source" in tf.write(block("image", 'name = "mine"', 'format = "qcow2"')).refused()


def test_an_image_of_a_file_has_a_format(tf: Workspace, tmp_path: Path) -> None:
    file = make_image(tmp_path / "one.qcow2")
    assert "No format" in tf.write(block("image", 'name = "mine"', f'source_file = "{file}"')).refused()
