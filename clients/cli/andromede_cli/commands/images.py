"""Images: create, upload, list and delete them."""

from __future__ import annotations

from gettext import gettext as _
from pathlib import Path
from typing import Annotated

import typer

from andromede_cli.columns import ID, LABELS, NAME, STATE
from andromede_cli.command import DRY_RUN, WAIT, GivenFile, LabelsOption, Name, command, group, labels_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import (
    LABEL,
    NEW_NAME,
    call_command,
    delete_command,
    given,
    list_command,
    show_command,
)
from andromede_cli.output import Column
from andromede_cli.session import Session

ImageFormat = Annotated[str, typer.Option("--format", help=_("qcow2 or raw."))]
ImageSnapshot = Annotated[
    str | None,
    typer.Option("--snapshot", help=_("The snapshot that it is made of."), autocompletion=names("snapshots.list")),
]
ImageVolume = Annotated[
    str | None,
    typer.Option(
        "--volume",
        help=_("The volume that it is made of, also while a guest uses it."),
        autocompletion=names("volumes.list"),
    ),
]
ImageFile = Annotated[
    Path | None, typer.Option("--file", help=_("The file to upload."), exists=True, dir_okay=False, readable=True)
]


def register(app: typer.Typer) -> None:
    app.add_typer(_images(), name="image")


def _images() -> typer.Typer:
    images = group(_("Images for root disks and volumes."))
    columns = [
        NAME,
        STATE,
        Column(_("format"), "format"),
        Column(_("firmware"), "firmware"),
        Column(_("public"), "is_public"),
        Column(_("bytes"), "size_bytes"),
        Column(_("source"), "source.name", is_wide=True),
        Column("sha256", "sha256", is_wide=True),
        LABELS,
        ID,
    ]
    list_command(
        images, _("The images of the project, and public ones."), "images.list", columns, "name", "state", "labels"
    )
    show_command(images, _("An image."), "images.get", "IMAGE")
    command(images, "create", _("Create an image from a file, a URL, a snapshot or a volume."), WAIT, DRY_RUN)(
        image_create
    )
    command(images, "upload", _("Upload the file of an image."), WAIT)(image_upload)
    subject = given("image", "IMAGE", completes="images.list")
    call_command(images, "update", _("Change its name or labels."), "images.update", subject, NEW_NAME, LABEL)
    question = _("Delete {names}? Instances created from it are kept.")
    delete_command(images, _("Delete images."), "images.delete", "IMAGE...", question)
    return images


def image_create(
    me: Session,
    name: Name,
    format: ImageFormat = "qcow2",
    file: ImageFile = None,
    url: Annotated[
        str | None, typer.Option("--source-url", help=_("URL from which the control plane downloads it."))
    ] = None,
    snapshot: ImageSnapshot = None,
    volume: ImageVolume = None,
    firmware: Annotated[str | None, typer.Option(help=_("bios or uefi."))] = None,
    min_memory: Annotated[int | None, typer.Option(help=_("Memory that a guest needs at least, in MiB."))] = None,
    sha256: Annotated[str | None, typer.Option(help=_("Expected SHA-256 of the file."))] = None,
    classification: Annotated[list[str] | None, typer.Option(help=_("Classification of its data, permanent."))] = None,
    label: LabelsOption = None,
) -> None:
    image = me.client.images.create(
        name=name,
        format=format,
        source_url=url,
        snapshot=snapshot,
        volume=volume,
        min_memory_mib=min_memory,
        firmware=firmware,
        sha256=sha256,
        classifications=classification,
        labels=labels_of(label),
        dry_run=me.is_dry_run,
    )
    if me.is_dry_run:
        me.show(image)
    elif file is not None:
        image_upload(me, image.id, file)
    elif url is not None or snapshot is not None or volume is not None:
        me.finish(image, lambda: me.client.images.get(image.id))
    else:
        me.show(me.client.images.get(image.id))


def image_upload(me: Session, name: Name, file: GivenFile) -> None:
    with file.open("rb") as data:
        answer = me.client.images.upload(name, data)
    me.finish(answer, lambda: me.client.images.get(answer.id))
