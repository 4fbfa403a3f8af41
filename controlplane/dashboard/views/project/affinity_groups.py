"""Affinity groups."""

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import NamedForm
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind

RULES = (
    ("anti-affinity", _("apart: on different nodes, so that one failure does not take them all")),
    ("affinity", _("together: on the same node, so that they are close to one another")),
)
AFFINITY_GROUP = ResourceKind(
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


class AffinityGroupList(CrudList):
    noun = AFFINITY_GROUP
    template = "dashboard/project/affinity_groups/list.html"


class AffinityGroupDetail(CrudDetail):
    noun = AFFINITY_GROUP
    template = "dashboard/project/affinity_groups/detail.html"


class AffinityGroupCreate(CrudCreate):
    noun = AFFINITY_GROUP
    form_class = AffinityGroupForm


class AffinityGroupEdit(CrudEdit):
    noun = AFFINITY_GROUP


class AffinityGroupDelete(CrudDelete):
    noun = AFFINITY_GROUP
