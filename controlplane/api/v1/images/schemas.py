"""Schemas of images."""

from rest_framework import serializers

from controlplane.api.v1.classifications.schemas import CLASSIFICATIONS_MAX
from controlplane.catalog.models import IMAGE, Image
from controlplane.catalog.services import FIRMWARES, FORMATS, MEMORY_MAX_MIB
from controlplane.kernel.fields import (
    Choice,
    In,
    Labels,
    LabelsPatch,
    Name,
    OutsideUrl,
    ResourceOut,
    Text,
    Whole,
    classified,
    references,
)


class ImageIn(In):
    """A new image. Without `source_url` the image waits for its bytes: PUT them to its `file`."""

    example = {"name": "debian-13", "format": "qcow2", "firmware": "uefi", "min_memory_mib": 512}

    name = Name()
    format = Choice(FORMATS)
    firmware = Choice(FIRMWARES, default="bios")
    sha256 = Text(max_length=64, default="")
    min_memory_mib = Whole(min_value=0, max_value=MEMORY_MAX_MIB, default=0)
    source_url = Text(max_length=2000, default="")
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    labels = Labels(default=dict)


class ImagePatch(In):
    example = {"labels": {"tested": "yes", "draft": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class ImageOut(ResourceOut):
    # Context: `classifications`, image → the classifications of its data.
    state = serializers.ChoiceField(list(IMAGE.moves))
    is_public = serializers.SerializerMethodField()
    format = serializers.ChoiceField(FORMATS)
    firmware = serializers.ChoiceField(FIRMWARES)
    sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)
    virtual_size_bytes = serializers.IntegerField(allow_null=True)
    min_memory_mib = serializers.IntegerField()
    min_disk_gib = serializers.IntegerField()
    source_url = OutsideUrl(help_text="Without its query for callers without write permission.")
    classifications = classified()

    def get_is_public(self, image: Image) -> bool:
        return image.project_id is None
