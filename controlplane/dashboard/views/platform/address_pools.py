"""Address pools for operators: ranges, utilization, and the public addresses of a pool with their holders."""

from functools import cached_property
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import labels
from controlplane.dashboard.base_views import Action, Context, FormPage, Page, Text
from controlplane.dashboard.forms import NAME_FIELD, TEXT, ApiForm, NamedForm, initial_values, split_lines
from controlplane.dashboard.navigation import OPERATOR

MANY = 200
LISTS = ("cidrs", "reserved_ranges")
REASON_MAX = 200


class AddressPools(Page):
    template = "dashboard/platform/address_pools/list.html"
    title = _("Address pools")
    section = "address-pools"
    live = "public_address subnet"

    def context(self) -> Context:
        filters = {name: self.query(name) for name in ("zone", "family")}
        page = self.api.get("address-pools", **filters, sort="name", page_token=self.query("page_token"))
        return {
            "pools": [_measured(each) for each in page["items"]],
            "next_page_token": page["next_page_token"],
            "is_filtered": any(filters.values()),
            "zones": [each["id"] for each in self.api.get("zones", limit=MANY)["items"]],
            "may_operate": self.me["duty"] == OPERATOR,
        }


class PoolEditForm(NamedForm):
    cidrs = forms.CharField(
        label=_("CIDR ranges"),
        help_text=_("One per line. A range with addresses in use can only grow."),
        widget=forms.Textarea(attrs=TEXT),
    )
    reserved_ranges = forms.CharField(
        label=_("Reserved ranges"),
        help_text=_("Addresses that no project gets, one range per line, such as 203.0.113.0-203.0.113.9."),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )
    community = forms.CharField(
        label=_("BGP community"),
        help_text=_("Of the announcements, such as 64500:100. Optional."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    local_preference = forms.IntegerField(
        label=_("BGP local preference"), help_text=_("Of the announcements. Optional."), required=False, min_value=0
    )

    def body(self) -> Context:
        given = self.cleaned_data
        return super().body() | {
            **{name: split_lines(given[name]) for name in LISTS},
            "community": given["community"],
            "local_preference": given["local_preference"],
        }


class PoolForm(PoolEditForm):
    zone = forms.ChoiceField(label=_("Zone"), help_text=_("Its addresses can be attached in this zone only."))
    family = forms.ChoiceField(label=_("Address family"), choices=list(labels.FAMILIES.items()))
    purpose = forms.ChoiceField(label=_("Purpose"), choices=list(labels.POOL_PURPOSES.items()))
    organization = forms.CharField(
        label=_("Organization"),
        help_text=_("The only one that may use the pool, by name. Leave empty for all."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    field_order = ("name", "zone", "family", "purpose", "cidrs", "reserved_ranges", "organization")

    def __init__(self, *args: Any, zones: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


class AddressPoolCreate(FormPage):
    template = "dashboard/forms/page.html"
    title = _("New address pool")
    section = "address-pools"
    form_class = PoolForm
    submit = _("Create")
    right = "address_pool_create"

    def choices(self) -> Context:
        return {"zones": [zone["id"] for zone in self.api.get("zones", limit=MANY)["items"]]}

    def context(self) -> Context:
        lead = _("Announcers of the zone announce the addresses that are in use. Ranges of two pools do not overlap.")
        return {"lead": lead, "back": reverse("address-pools")}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Address pools"), reverse("address-pools"))]

    def send(self, form: ApiForm) -> str:
        pool = self.api.post("address-pools", body=form.body(), key=self.key)
        self.notify(_("{name} created.").format(name=pool["name"]))
        return reverse("address-pool", kwargs={"pool": pool["id"]})


class OfAddressPool(Page):
    """A page of an address pool."""

    section = "address-pools"
    heading: Text = "{name}"

    @cached_property
    def pool(self) -> Context:
        return _measured(self.api.get("address-pools", self.kwargs["pool"]))

    @property
    def url(self) -> str:
        return reverse("address-pool", kwargs={"pool": self.kwargs["pool"]})

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": str(self.heading).format(name=self.pool["name"])}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Address pools"), reverse("address-pools"))]


class AddressPool(OfAddressPool):
    template = "dashboard/platform/address_pools/detail.html"
    live = "public_address subnet"

    def context(self) -> Context:
        page = self.api.get("public-addresses", pool=self.pool["id"], sort="name", page_token=self.query("page_token"))
        return {
            "pool": self.pool,
            "addresses": [each | {"standing": labels.public_address(each)} for each in page["items"]],
            "next_page_token": page["next_page_token"],
            "may_operate": self.me["duty"] == OPERATOR,
        }


class AddressPoolEdit(FormPage, OfAddressPool):
    template = "dashboard/forms/page.html"
    heading = _("Edit {name}")
    form_class = PoolEditForm
    submit = _("Save")
    right = "address_pool_update"

    def initial(self) -> Context:
        lists = {name: "\n".join(self.pool[name]) for name in LISTS}
        plain = {name: self.pool[name] for name in ("community", "local_preference")}
        return initial_values(self.pool) | lists | plain

    def context(self) -> Context:
        lead = _("Addresses in use that become reserved stay with their projects.")
        return {"lead": lead, "back": self.url}

    def send(self, form: ApiForm) -> str:
        self.save(self.pool, form, "address-pools", self.pool["id"])
        return self.url


class AddressPoolDelete(FormPage, OfAddressPool):
    template = "dashboard/shared/confirm.html"
    heading = _("Delete {name}")
    submit = _("Delete")
    right = "address_pool_delete"

    def context(self) -> Context:
        return {
            "lost": _("The pool is permanently deleted, and another pool can have its ranges."),
            "kept": _("Only a pool of which nothing is in use can be deleted."),
            "back": self.url,
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("address-pools", self.pool["id"])
        self.notify(_("{name} deleted.").format(name=self.pool["name"]))
        return reverse("address-pools")


class AddressSuspendForm(ApiForm):
    reason = forms.CharField(label=_("Reason"), help_text=_("Visible to the project."), max_length=REASON_MAX)


class AddressSuspend(FormPage, OfAddressPool):
    template = "dashboard/forms/page.html"
    form_class = AddressSuspendForm
    submit = _("Suspend")
    right = "public_address_suspend"

    def layout_context(self) -> Context:
        return super().layout_context() | {"title": _("Suspend {name}").format(name=self.kwargs["address"])}

    def context(self) -> Context:
        lead = _("The address is withdrawn, and its traffic stops. The project keeps it, and it can be resumed.")
        return {"lead": lead, "back": self.url}

    def crumbs(self) -> list[tuple[Text, str]]:
        return [*super().crumbs(), (self.pool["name"], self.url)]

    def send(self, form: ApiForm) -> str:
        path = ("public-addresses", self.kwargs["address"], "actions", "suspend")
        self.api.post(*path, body=form.body(), key=self.key)
        self.notify(_("{name} suspended.").format(name=self.kwargs["address"]))
        return self.url


class AddressResume(Action):
    done = _("The address is in use again.")
    right = "public_address_resume"

    def perform(self) -> None:
        self.api.post("public-addresses", self.kwargs["address"], "actions", "resume")

    def back(self) -> str:
        return reverse("address-pool", kwargs={"pool": self.kwargs["pool"]})


def _measured(pool: Context) -> Context:
    """Return the pool with its size and use, as the bar of a capacity shows them."""
    return pool | {"amounts": {"capacity": pool["size"], "used": pool["used"], "reserved": 0}}
