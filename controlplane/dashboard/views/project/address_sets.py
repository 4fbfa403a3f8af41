"""Address sets."""

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import TEXT, NamedForm, initial_values, split_lines
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind

ADDRESS_SET = ResourceKind(
    "address-sets",
    "address-set",
    "address_set",
    {
        "many": _("Address sets"),
        "new": _("New address set"),
        "none": _("No address sets yet"),
        "what": _("An address set contains address ranges that rules of security groups name as the other side."),
        "lost": _("The address set is permanently deleted."),
        "kept": _("Only a set that no rule names can be deleted."),
        "icon": "list-checks",
    },
)


class AddressSetForm(NamedForm):
    cidrs = forms.CharField(
        label=_("Address ranges"),
        help_text=_("One per line, IPv4 or IPv6, such as 192.0.2.0/24."),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )
    description = forms.CharField(label=_("Description"), required=False, max_length=200)
    field_order = ("name", "cidrs", "description", "labels")

    def body(self) -> Context:
        ranges = split_lines(self.cleaned_data["cidrs"])
        return super().body() | {"cidrs": ranges, "description": self.cleaned_data["description"]}


class AddressSetList(CrudList):
    noun = ADDRESS_SET
    template = "dashboard/project/address_sets/list.html"


class AddressSetDetail(CrudDetail):
    noun = ADDRESS_SET
    template = "dashboard/project/address_sets/detail.html"


class AddressSetCreate(CrudCreate):
    noun = ADDRESS_SET
    form_class = AddressSetForm


class AddressSetEdit(CrudEdit):
    noun = ADDRESS_SET
    form_class = AddressSetForm

    def initial(self) -> Context:
        own = {"cidrs": "\n".join(self.thing["cidrs"]), "description": self.thing["description"]}
        return initial_values(self.thing) | own


class AddressSetDelete(CrudDelete):
    noun = ADDRESS_SET
