"""Images: from an uploaded file, imported from a URL, or made of a snapshot or a volume."""

from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from controlplane.dashboard import labels
from controlplane.dashboard.api_client import ApiError, ApiRequest
from controlplane.dashboard.base_views import Context, FormPage, ProjectPage, Text
from controlplane.dashboard.forms import ApiForm, NamedForm, initial_values
from controlplane.dashboard.rights import Rights
from controlplane.dashboard.uploads import allow_one_file
from controlplane.dashboard.views.project.instances import NameForm

FILTERS = ("name", "state", "labels")
STATES = ("awaiting-upload", "importing", "verifying", "available", "error")
AWAITING = "awaiting-upload"


class ImageList(ProjectPage):
    template = "dashboard/project/images/list.html"
    title = _("Images")
    section = "images"
    live = "image operation"

    def context(self) -> Context:
        filters = {name: self.query(name) for name in FILTERS}
        page = self.get_in_project("images", **filters, sort="name", page_token=self.query("page_token"))
        return {
            "images": page["items"],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "states": [(state, labels.state_badge(state).words) for state in STATES],
        }


class ImageForm(NamedForm):
    """The properties of an image. Its bytes are uploaded afterwards, or come from `source_url`."""

    format = forms.ChoiceField(label=_("Format"), choices=[("qcow2", "qcow2"), ("raw", "raw")])
    firmware = forms.ChoiceField(
        label=_("Firmware"),
        help_text=_("Firmware that boots the disk. Most recent images support both UEFI and BIOS."),
        choices=[("bios", "BIOS"), ("uefi", "UEFI")],
    )
    source_url = forms.CharField(
        label=_("Source URL"),
        help_text=_("https://… Leave empty to upload a file on the next page."),
        required=False,
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    sha256 = forms.CharField(
        label=_("SHA-256"),
        help_text=_("Optional. A file with a different checksum is rejected."),
        required=False,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    min_memory_mib = forms.IntegerField(label=_("Minimum memory (MiB)"), required=False, min_value=0, initial=0)
    field_order = ("name", "format", "firmware", "source_url", "sha256", "min_memory_mib", "labels")


class ImageCreate(FormPage, ProjectPage):
    template = "dashboard/forms/page.html"
    title = _("New image")
    section = "images"
    form_class = ImageForm
    submit = _("Continue")
    right = "image_create"

    def context(self) -> Context:
        lead = _("An image is a disk template for instances. The file is inspected before it can be used.")
        return {"lead": lead, "back": self.url("images")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Images"), self.url("images"))]

    def send(self, form: ApiForm) -> str:
        image = self.api.post("projects", self.kwargs["project"], "images", body=form.body(), key=self.key)
        self.notify(_("Image import started.") if image["source_url"] else _("Image created. Upload its file below."))
        return self.url("image", image=image["id"])


class ImageOfForm(NamedForm):
    """The properties of an image of a snapshot or a volume; the others are those of the image that it began as."""

    field_order = ("name", "labels")


class ImageOf(FormPage, ProjectPage):
    """A new image of a snapshot or a volume: `kind`, which is also the name of the argument of the path."""

    template = "dashboard/forms/page.html"
    section = "images"
    form_class = ImageOfForm
    submit = _("Create image")
    right = "image_create"
    kind = ""

    @cached_property
    def source(self) -> Context:
        source: Context = self.get_in_project(f"{self.kind}s", self.kwargs[self.kind])
        return source

    def initial(self) -> Context:
        return {"name": self.source["name"], **super().initial()}

    def context(self) -> Context:
        problem = next(each["problem"] for each in self.source["allowed_actions"] if each["name"] == "image")
        lead = _(
            "The image gets the content of {name}: {size} GiB. It is private to the project, and has the policies and "
            "classifications of the data."
        )
        if self.kind == "volume":
            lead = _(
                "The image gets the content that {name} has at this moment, as after a power cut: {size} GiB. An "
                "instance can use the volume meanwhile. The image is private to the project, and has the policies and "
                "classifications of the data."
            )
        return {
            "title": _("Create image of {name}").format(name=self.source["name"]),
            "lead": lead.format(name=self.source["name"], size=self.source["size_gib"]),
            "obstacle": str(problem["detail"]) if problem else "",
            "back": self.url(self.kind, **{self.kind: self.source["id"]}),
        }

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Images"), self.url("images"))]

    def send(self, form: ApiForm) -> str:
        body = {**form.body(), self.kind: self.source["id"]}
        image = self.api.post("projects", self.kwargs["project"], "images", body=body, key=self.key)
        self.notify(_("Making the image."))
        return self.url("image", image=image["id"])


class ImagePage(ProjectPage):
    section = "images"
    live = "image operation"

    @cached_property
    def image(self) -> Context:
        image: Context = self.get_in_project("images", self.kwargs["image"])
        return image

    def path(self) -> tuple[str, ...]:
        return ("projects", self.kwargs["project"], "images", self.kwargs["image"])

    def here(self) -> str:
        return self.url("image", image=self.kwargs["image"])

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Images"), self.url("images"))]


class ImageDetail(ImagePage):
    template = "dashboard/project/images/detail.html"

    def context(self) -> Context:
        return {
            "image": self.image,
            "title": self.image["name"],
            "is_awaiting": self.image["state"] == AWAITING,
            "source_page": self.source_page(),
        }

    def source_page(self) -> str:
        """Return the URL of the page of the image's source; empty: there is none, or it was deleted."""
        source = self.image["source"]
        if source is None:
            return ""
        try:
            self.get_in_project(f"{source['kind']}s", source["id"])
        except ApiError as exc:
            if exc.status != 404:
                raise
            return ""
        return self.url(source["kind"], **{source["kind"]: source["id"]})


@method_decorator(csrf_exempt, name="dispatch")
class ImageFile(ImagePage):
    """Upload of the image's bytes, by upload.js with progress, or by a form.

    Exempt from the CSRF check of the middleware, which parses the form: both methods make the same check themselves,
    `post` after authentication and before it accepts the file."""

    right = "image_upload"

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        return redirect(self.url("image", image=self.image["id"]))

    @method_decorator(csrf_protect)
    def put(self, request: HttpRequest, **path: str) -> HttpResponse:
        """Stream the bytes from the browser to the API; the answer is for upload.js."""
        try:
            self.upload(request, int(request.headers.get("Content-Length") or 0))
        except ApiError as exc:
            return self.error_json(exc)
        return JsonResponse({"go": self.here()})

    def post(self, request: HttpRequest, **path: str) -> HttpResponse:
        if refusal := Rights.of(self.me, self.place()).denial_reason(self.own_right()):
            messages.error(request, refusal)
            return redirect(self.here())
        allow_one_file(request)
        return self.upload_from_form(request)

    @method_decorator(csrf_protect)
    def upload_from_form(self, request: HttpRequest) -> HttpResponse:
        file = request.FILES.get("file")
        if file is None:
            return self.get(request)
        self.upload(file, file.size or 0)
        return redirect(self.here())

    def upload(self, file: Any, length: int) -> None:
        self.api.send("PUT", (*self.path(), "file"), ApiRequest(file=(file, length)))


class ImageEdit(FormPage, ImagePage):
    template = "dashboard/forms/page.html"
    form_class = NamedForm
    submit = _("Save")
    right = "image_update"

    def initial(self) -> Context:
        return initial_values(self.image)

    def context(self) -> Context:
        return {"title": _("Edit {name}").format(name=self.image["name"]), "back": self.here()}

    def send(self, form: ApiForm) -> str:
        self.save(self.image, form, *self.path())
        return self.here()


class ImageDelete(FormPage, ImagePage):
    template = "dashboard/shared/confirm.html"
    form_class = NameForm
    submit = _("Delete")
    right = "image_delete"

    def choices(self) -> Context:
        return {"expected_name": self.image["name"]}

    def context(self) -> Context:
        return {
            "title": _("Delete {name}").format(name=self.image["name"]),
            "lost": _(
                "The file is permanently deleted. Instances can no longer be created or rebuilt from this image."
            ),
            "kept": _("Existing instances are not affected."),
            "back": self.here(),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete(*self.path())
        self.notify(_("Image deleted."))
        return self.url("images")
