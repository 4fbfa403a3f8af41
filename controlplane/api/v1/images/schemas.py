"""Schemas of images."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from controlplane.api.v1.classifications.schemas import CLASSIFICATIONS_MAX
from controlplane.catalog.models import IMAGE, SOURCE_KINDS, Image
from controlplane.catalog.services import FIRMWARES, FORMATS, MEMORY_MAX_MIB
from controlplane.kernel.fields import (
    Choice,
    In,
    Labels,
    LabelsPatch,
    Name,
    Out,
    OutsideUrl,
    Reference,
    ResourceOut,
    Text,
    Whole,
    classified,
    references,
)


class ImageIn(In):
    """A new image: of a file, of a snapshot, or of a volume.

    Of a file: `format` is required. Without `source_url` the image waits for its bytes: PUT them to its `file`.
    `snapshot`: its content. `volume`: its content at one moment, also while a guest writes to it, as after a power cut.
    Both make a qcow2 image with the policies and classifications of the source; `firmware` and `min_memory_mib` are
    those of the image that the volume began as, unless others are given.
    """

    example = {"name": "debian-13", "format": "qcow2", "firmware": "uefi", "min_memory_mib": 512}

    name = Name()
    format = Choice(FORMATS, required=False)
    firmware = Choice(FIRMWARES, required=False)
    sha256 = Text(max_length=64, default="")
    min_memory_mib = Whole(min_value=0, max_value=MEMORY_MAX_MIB, required=False)
    source_url = Text(max_length=2000, default="")
    snapshot = Reference(required=False)
    volume = Reference(required=False)
    classifications = references(max_length=CLASSIFICATIONS_MAX, default=list)
    labels = Labels(default=dict)

    def validate(self, attrs: Any) -> Any:
        if "format" not in attrs and "snapshot" not in attrs and "volume" not in attrs:
            text = str(self.fields["format"].error_messages["required"])
            raise ValidationError({"format": [ErrorDetail(text, code="required")]})
        return attrs


class ImagePatch(In):
    example = {"labels": {"tested": "yes", "draft": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class ImageSourceOut(Out):
    kind = serializers.ChoiceField(SOURCE_KINDS)
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="Its name when the image was made.")


class ImageOut(ResourceOut):
    """An image. `source`: the volume or snapshot that it was made of, which may be deleted since; null: a file."""

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
    source = ImageSourceOut(allow_null=True)  # type: ignore[assignment]
    source_url = OutsideUrl(help_text="Without its query for callers without write permission.")
    classifications = classified()

    def get_is_public(self, image: Image) -> bool:
        return image.project_id is None
