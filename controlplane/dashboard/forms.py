"""Forms whose rules are the API's: they know which fields there are, and show what the API says about them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting
from django.utils.translation import gettext_lazy as _

Choices = Iterable[tuple[str, Any]]
# Of fields for names, and for what a machine reads.
NAME_FIELD = {"autocomplete": "off", "spellcheck": "false", "translate": "no"}
TEXT = {"rows": 4, "class": "mono", "spellcheck": "false", "translate": "no"}


class Renderer(TemplatesSetting):
    """settings.FORM_RENDERER: each field with its label, hint and errors."""

    field_template_name = "dashboard/forms/field.html"


class ApiForm(forms.Form):
    required_css_class = "is-required"

    def body(self) -> dict[str, Any]:
        """What was filled in, by the names that the API has for it."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}

    def show_problem(self, problem: Mapping[str, Any]) -> None:
        """Show what the API says beside the field that it is about, or above all of them."""
        errors = problem.get("errors") or []
        for error in errors:
            name = str(error.get("pointer", "")).strip("/").split("/")[0]
            self.add_error(name if name in self.fields else None, error["detail"])
        if not errors:
            self.add_error(None, str(problem.get("detail") or problem.get("title") or problem.get("code", "")))


class NamedForm(ApiForm):
    """A name and labels, as nearly everything has them."""

    name = forms.CharField(
        label=_("Name"),
        help_text=_("Lowercase letters, digits and hyphens."),
        widget=forms.TextInput(attrs=NAME_FIELD),
    )
    labels = forms.CharField(
        label=_("Labels"),
        help_text=_("One per line, such as env=prod. Labels can be searched and filtered."),
        required=False,
        widget=forms.Textarea(attrs=TEXT),
    )

    def body(self) -> dict[str, Any]:
        return super().body() | {"labels": parse_labels(self.cleaned_data["labels"])}


def initial_values(thing: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in a NamedForm of a thing that is there already."""
    return {"name": thing["name"], "labels": labels_as_text(thing["labels"])}


def changed_fields(thing: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """What of the body of a NamedForm makes the thing another: the API keeps what is not named, and takes away labels
    that are null."""
    differs = {name: value for name, value in body.items() if name != "labels" and value != thing[name]}
    present, wanted = thing["labels"], body["labels"]
    gone = dict.fromkeys(present.keys() - wanted.keys())
    labels = gone | {key: text for key, text in wanted.items() if present.get(key) != text}
    return differs | ({"labels": labels} if labels else {})


def split_lines(text: str) -> list[str]:
    """What stands on the lines of a text, without the empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def parse_labels(text: str) -> dict[str, str]:
    """`key=value`, one a line."""
    pairs = (line.partition("=") for line in split_lines(text))
    return {key.strip(): value.strip() for key, _, value in pairs}


def labels_as_text(labels: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(labels.items()))


def id_choices(items: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Choices: things by their ids, shown by their names."""
    return [(str(item["id"]), str(item["name"])) for item in items]
