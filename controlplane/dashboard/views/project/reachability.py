"""The question whether one end reaches another: a form whose answer is on the same page, and has a URL."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.api_client import ApiError
from controlplane.dashboard.base_views import Context, ProjectPage, Text, is_correctable
from controlplane.dashboard.forms import NAME_FIELD, ApiForm
from controlplane.dashboard.labels import StateBadge

CHOICES_MAX = 200
OUTSIDE, ADDRESS = "outside", "address"
PROTOCOLS = (("tcp", "TCP"), ("udp", "UDP"), ("icmp", _("ICMP, such as ping")), ("any", _("All traffic")))
FAMILIES = (("", _("that of the address, or IPv4 if both ends have it")), ("ipv4", "IPv4"), ("ipv6", "IPv6"))
VERDICTS: dict[str, StateBadge] = {
    "allowed": StateBadge(_("reachable"), "good", "circle-check"),
    "refused": StateBadge(_("not reachable"), "bad", "circle-x"),
    "unknown": StateBadge(_("unknown"), "warn", "circle-help"),
}
OUTCOMES: dict[str, StateBadge] = {
    "allowed": StateBadge(_("passes"), "good", "circle-check"),
    "refused": StateBadge(_("stops"), "bad", "circle-x"),
    "unknown": StateBadge(_("unknown"), "warn", "circle-help"),
}
STEPS: dict[str, Text] = {
    "instance": _("Instance"),
    "zone": _("Zone"),
    "egress": _("Outgoing rules"),
    "network": _("Network"),
    "gateway": _("Gateway"),
    "destination": _("Destination"),
    "translation": _("Way out"),
    "public-address": _("Public address"),
    "ingress": _("Incoming rules"),
}


class ReachabilityForm(ApiForm):
    source = forms.ChoiceField(label=_("Traffic from"), initial=OUTSIDE)
    source_address = forms.CharField(
        label=_("Address"),
        help_text=_("If the traffic comes from an address."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    target = forms.ChoiceField(label=_("Traffic to"))
    target_address = forms.CharField(
        label=_("Address"),
        help_text=_("If the traffic goes to an address."),
        required=False,
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    protocol = forms.ChoiceField(label=_("Protocol"), choices=PROTOCOLS, initial="tcp")
    port = forms.IntegerField(
        label=_("Port number"), help_text=_("Of TCP or UDP, such as 443."), required=False, min_value=1, max_value=65535
    )
    family = forms.ChoiceField(label=_("Address family"), required=False, choices=FAMILIES)

    def __init__(self, *args: Any, ends: list[tuple[Any, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("source", "target"):
            self.fields[name].choices = ends  # type: ignore[attr-defined]

    def body(self) -> Context:
        given = self.cleaned_data
        ends = {name: _end(given[name], given[f"{name}_address"]) for name in ("source", "target")}
        port = {"port": given["port"]} if given["port"] and given["protocol"] in ("tcp", "udp") else {}
        family = {"family": given["family"]} if given["family"] else {}
        return {**ends, "protocol": given["protocol"], **port, **family}


def _end(choice: str, address: str) -> Context:
    """Return the end as the API names it; choices are `outside`, `address`, `instance:ID` and `port:ID`."""
    if choice == OUTSIDE:
        return {"outside": True}
    if choice == ADDRESS:
        return {"address": address.strip()}
    kind, _colon, ref = choice.partition(":")
    return {kind: ref}


class Reachability(ProjectPage):
    template = "dashboard/project/reachability.html"
    title = _("Reachability")
    section = "reachability"

    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        form = self.form(request.GET if "protocol" in request.GET else None)
        answer = None
        if form.is_bound and form.is_valid():
            try:
                answer = self.api.preview("projects", self.project["id"], "reachability", body=form.body())
            except ApiError as exc:
                if not is_correctable(exc):
                    raise
                form.show_problem(exc.problem)
        return self.page({"form": form, "answer": answer and self.shown(answer)})

    def form(self, data: Mapping[str, Any] | None) -> ReachabilityForm:
        initial = {name: self.query(name) for name in ("source", "target") if self.query(name)}
        return ReachabilityForm(data, initial=initial, ends=self.ends())

    def ends(self) -> list[tuple[Any, Any]]:
        """Return the choices of an end, the ports without an instance last."""
        instances = self.get_in_project("instances", sort="name", limit=CHOICES_MAX)["items"]
        ports = self.get_in_project("ports", sort="name", limit=CHOICES_MAX)["items"]
        chosen: list[tuple[Any, Any]] = [
            (OUTSIDE, gettext("anywhere outside")),
            (ADDRESS, gettext("the address below")),
            (gettext("Instances"), [(f"instance:{each['id']}", each["name"]) for each in instances]),
            (gettext("Ports"), [(f"port:{each['id']}", each["name"]) for each in ports]),
        ]
        return [(value, words) for value, words in chosen if words]

    def shown(self, answer: Context) -> Context:
        """Return the answer with words, and links to what its steps name."""
        steps = [
            {
                **step,
                "words": STEPS.get(step["kind"], step["kind"]),
                "badge": OUTCOMES[step["outcome"]],
                "group_url": step["security_group"] and self.url("security-group", thing=step["security_group"]["id"]),
            }
            for step in answer["steps"]
        ]
        return answer | {"badge": VERDICTS[answer["verdict"]], "steps": steps}
