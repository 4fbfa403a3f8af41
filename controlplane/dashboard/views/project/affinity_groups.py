"""Affinity groups."""

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context
from controlplane.dashboard.forms import NamedForm
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind

RULES = (
    ("anti-affinity", _("separate: on different nodes, to survive the failure of one")),
    ("affinity", _("together: on the same node, for low latency")),
)
AFFINITY_GROUP = ResourceKind(
    "affinity-groups",
    "affinity-group",
    "affinity_group",
    {
        "many": _("Affinity groups"),
        "new": _("New affinity group"),
        "none": _("No affinity groups yet"),
        "what": _(
            "An affinity group places its instances on the same node or on different nodes. An instance "
            "joins a group when it is created."
        ),
        "lost": _("New instances can no longer join the group."),
        "kept": _("Instances of the group stay on their nodes."),
        "icon": "boxes",
    },
)


class AffinityGroupForm(NamedForm):
    rule = forms.ChoiceField(label=_("Rule"), choices=RULES, initial="anti-affinity", widget=forms.RadioSelect)
    is_strict = forms.BooleanField(
        label=_("Strict"),
        help_text=_("If the rule cannot be satisfied, the instance is not created."),
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
