"""Where image files are kept: settings.IMAGES_DIR/<sha256>."""

from pathlib import Path

from django.conf import settings


def path_of(sha256: str) -> Path:
    folder: Path = settings.IMAGES_DIR
    return folder / sha256
