"""SSH keys."""

from django import forms
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.forms import NamedForm
from controlplane.dashboard.views.crud import CrudCreate, CrudDelete, CrudDetail, CrudEdit, CrudList, ResourceKind

SSH_KEY = ResourceKind(
    "ssh-keys",
    "ssh-key",
    "ssh_key",
    {
        "many": _("SSH keys"),
        "new": _("New SSH key"),
        "none": _("No SSH key yet"),
        "what": _("The public half of a key with which you get into instances. They take it when they are made."),
        "lost": _("New instances cannot be given it any more."),
        "kept": _("Instances that have it keep it."),
        "icon": "key-round",
    },
)


class SshKeyForm(NamedForm):
    public_key = forms.CharField(
        label=_("Public key"),
        help_text=_("The one line of the file that ends in .pub: ssh-ed25519 AAAA…"),
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    field_order = ("name", "public_key", "labels")


class SshKeyList(CrudList):
    noun = SSH_KEY
    template = "dashboard/project/ssh_keys/list.html"


class SshKeyDetail(CrudDetail):
    noun = SSH_KEY
    template = "dashboard/project/ssh_keys/detail.html"


class SshKeyCreate(CrudCreate):
    noun = SSH_KEY
    form_class = SshKeyForm


class SshKeyEdit(CrudEdit):
    noun = SSH_KEY


class SshKeyDelete(CrudDelete):
    noun = SSH_KEY
