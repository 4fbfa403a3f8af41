"""Volume types for operators: create, edit, retire and delete. The catalog lists them."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, FormPage, Page, Text
from controlplane.dashboard.forms import NAME_FIELD, TEXT, ApiForm, split_lines

LIMITS = ("iops", "iops_per_gib", "mb_per_s", "mb_per_s_per_gib")


def _limit(label: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, initial=0)


class VolumeTypeEditForm(ApiForm):
    description = forms.CharField(
        label=_("Description"), max_length=200, help_text=_("Users read it when they choose a type.")
    )
    iops = _limit(_("IOPS"))
    iops_per_gib = _limit(_("IOPS per GiB"))
    mb_per_s = _limit(_("MB/s"))
    mb_per_s_per_gib = _limit(_("MB/s per GiB"))
    organizations = forms.CharField(
        label=_("Organizations"),
        help_text=_("The only ones that may use the type, one name per line. Leave empty for all."),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )

    def body(self) -> Context:
        return self.cleaned_data | {"organizations": split_lines(self.cleaned_data["organizations"])}


class VolumeTypeForm(VolumeTypeEditForm):
    id = forms.CharField(
        label=_("Name"),
        help_text=_("Lowercase letters, digits and hyphens."),
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    pool = forms.CharField(
        label=_("Storage pool"),
        help_text=_("Name of the pool that has the volumes. Leave empty for the node's own disk."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    binding = forms.ChoiceField(
        label=_("Place of volumes"),
        help_text=_("With the first attachment, a volume gets its place on the instance's node or in its zone."),
        choices=[("immediate", _("when they are created")), ("first_use", _("when they are first attached"))],
        required=False,
    )
    is_multi_attach = forms.BooleanField(
        label=_("For several instances at once"),
        help_text=_(
            "Several instances can have such a volume attached, each on another node, with a file system for that. "
            "Needs the pool of a storage cluster."
        ),
        required=False,
    )
    field_order = ("id", "description", "pool", "binding", "is_multi_attach", *LIMITS, "organizations")

    def body(self) -> Context:
        body = super().body()
        return body | {"binding": body["binding"] or "immediate"}


class VolumeTypeCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("New volume type")
    section = "offers"
    form_class = VolumeTypeForm
    submit = _("Create")
    right = "volume_type_create"

    def context(self) -> Context:
        lead = _(
            "A volume has the larger one of the fixed limit and the limit by its size, of reads and writes together. "
            "0 means no limit."
        )
        return {"lead": lead, "back": reverse("offers")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Catalog"), reverse("offers"))]

    def send(self, form: ApiForm) -> str:
        created = self.api.post("volume-types", body=form.body(), key=self.key)
        self.notify(_("{name} created.").format(name=created["id"]))
        return reverse("offers")


class OfVolumeType(Page):
    """A page of a volume type."""

    section = "offers"
    heading: Text = "{name}"

    @cached_property
    def volume_type(self) -> Context:
        found: Context = self.api.get("volume-types", self.kwargs["volume_type"])
        return found

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": str(self.heading).format(name=self.volume_type["id"])}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Catalog"), reverse("offers"))]


class VolumeTypeChangeForm(VolumeTypeEditForm):
    is_retired = forms.BooleanField(
        label=_("Retired"), required=False, help_text=_("New volumes are refused; present ones stay as they are.")
    )


class VolumeTypeEdit(FormPage, OfVolumeType):
    template = "dashboard/forms/page.html"
    heading = _("Edit {name}")
    form_class = VolumeTypeChangeForm
    submit = _("Save")
    right = "volume_type_update"

    def initial(self) -> Context:
        names = [each["name"] for each in self.volume_type["organizations"] or []]
        return self.volume_type | {"organizations": "\n".join(names)}

    def context(self) -> Context:
        lead = _("Limits count for new volumes, and for the others at their next growth or change of type.")
        return {"lead": lead, "back": reverse("offers")}

    def send(self, form: ApiForm) -> str:
        self.api.patch("volume-types", self.volume_type["id"], body=form.body())
        self.notify(_("Changes saved."))
        return reverse("offers")


class VolumeTypeDelete(FormPage, OfVolumeType):
    template = "dashboard/shared/confirm.html"
    heading = _("Delete {name}")
    submit = _("Delete")
    right = "volume_type_delete"

    def context(self) -> Context:
        return {
            "lost": _("The volume type is permanently deleted."),
            "kept": _("Only a type that no volume has or had can be deleted. Retire the others."),
            "back": reverse("offers"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("volume-types", self.volume_type["id"])
        self.notify(_("{name} deleted.").format(name=self.volume_type["id"]))
        return reverse("offers")
