"""Forms validated by the API: they have the fields, and show the API's errors next to them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting
from django.utils.translation import gettext_lazy as _

Choices = Iterable[tuple[str, Any]]
# Attributes of fields for names and machine-readable values.
NAME_FIELD = {"autocomplete": "off", "spellcheck": "false", "translate": "no"}
TEXT = {"rows": 4, "class": "mono", "spellcheck": "false", "translate": "no"}


class Renderer(TemplatesSetting):
    """settings.FORM_RENDERER: each field with its label, hint and errors."""

    field_template_name = "dashboard/forms/field.html"


class ApiForm(forms.Form):
    """A form. `api_names`: its fields by the API's names where these differ."""

    required_css_class = "is-required"
    api_names: Mapping[str, str] = {}

    def body(self) -> dict[str, Any]:
        """Return the filled-in fields by the API's names."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}

    def show_problem(self, problem: Mapping[str, Any]) -> None:
        """Show the API's errors next to their fields, also those of fields within others, or above all fields."""
        errors = problem.get("errors") or []
        for error in errors:
            parts = [self.api_names.get(part, part) for part in str(error.get("pointer", "")).split("/")]
            self.add_error(next((part for part in parts if part in self.fields), None), error["detail"])
        if not errors:
            self.add_error(None, str(problem.get("detail") or problem.get("title") or problem.get("code", "")))


class NamedForm(ApiForm):
    """A name and labels, common to most resources."""

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
    """Return the initial values of a NamedForm for an existing resource."""
    return {"name": thing["name"], "labels": labels_as_text(thing["labels"])}


def changed_fields(thing: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changed part of a NamedForm's body: the API keeps fields that are absent and removes labels that are
    null."""
    differs = {name: value for name, value in body.items() if name != "labels" and value != thing[name]}
    present, requested = thing["labels"], body["labels"]
    gone = dict.fromkeys(present.keys() - requested.keys())
    labels = gone | {key: text for key, text in requested.items() if present.get(key) != text}
    return differs | ({"labels": labels} if labels else {})


def split_lines(text: str) -> list[str]:
    """Return the lines of a text, without empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def split_commas(text: str) -> list[str]:
    """Return the values of a text that commas or spaces separate."""
    return text.replace(",", " ").split()


def parse_labels(text: str) -> dict[str, str]:
    """Parse labels: `key=value`, one per line."""
    pairs = (line.partition("=") for line in split_lines(text))
    return {key.strip(): value.strip() for key, _, value in pairs}


def labels_as_text(labels: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(labels.items()))


def id_choices(items: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return choices: ids with names as labels."""
    return [(str(item["id"]), str(item["name"])) for item in items]
