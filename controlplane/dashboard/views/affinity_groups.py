"""Affinity groups."""

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.forms import NamedForm
from controlplane.dashboard.page import Context
from controlplane.dashboard.views.things import Noun, ThingCreate, ThingDelete, ThingDetail, ThingEdit, ThingList

RULES = (
    ("anti-affinity", _("apart: on different nodes, so that one failure does not take them all")),
    ("affinity", _("together: on the same node, so that they are close to one another")),
)
AFFINITY_GROUP = Noun(
    "affinity-groups",
    "affinity-group",
    "affinity_group",
    {
        "many": _("Affinity groups"),
        "new": _("New affinity group"),
        "none": _("No affinity group yet"),
        "what": _("Instances of a group are kept apart, or together. They are put into it when they are made."),
        "lost": _("New instances cannot be put into it any more."),
        "kept": _("Instances that are in it stay where they are."),
        "icon": "boxes",
    },
)


class AffinityGroupForm(NamedForm):
    rule = forms.ChoiceField(label=_("Rule"), choices=RULES, initial="anti-affinity", widget=forms.RadioSelect)
    is_strict = forms.BooleanField(
        label=_("Strictly"),
        help_text=_("An instance for which the rule cannot be kept is then not made at all."),
        required=False,
        initial=True,
    )
    field_order = ("name", "rule", "is_strict", "labels")

    def body(self) -> Context:
        return super().body() | {"is_strict": self.cleaned_data["is_strict"]}


class AffinityGroupList(ThingList):
    noun = AFFINITY_GROUP
    template = "dashboard/networks/affinity_groups.html"


class AffinityGroupDetail(ThingDetail):
    noun = AFFINITY_GROUP
    template = "dashboard/networks/affinity_group.html"


class AffinityGroupCreate(ThingCreate):
    noun = AFFINITY_GROUP
    form_class = AffinityGroupForm


class AffinityGroupEdit(ThingEdit):
    noun = AFFINITY_GROUP


class AffinityGroupDelete(ThingDelete):
    noun = AFFINITY_GROUP
