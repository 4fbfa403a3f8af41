"""Forms whose rules are the API's: they know which fields there are, and show what the API says about them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting

Choices = Iterable[tuple[str, Any]]


class Renderer(TemplatesSetting):
    """settings.FORM_RENDERER: each field with its label, hint and errors."""

    field_template_name = "dashboard/forms/field.html"


class ApiForm(forms.Form):
    required_css_class = "is-required"

    def body(self) -> dict[str, Any]:
        """What was filled in, by the names that the API has for it."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}

    def take(self, problem: Mapping[str, Any]) -> None:
        """Show what the API says beside the field that it is about, or above all of them."""
        errors = problem.get("errors") or []
        for error in errors:
            name = str(error.get("pointer", "")).strip("/").split("/")[0]
            self.add_error(name if name in self.fields else None, error["detail"])
        if not errors:
            self.add_error(None, str(problem.get("detail") or problem.get("title") or problem.get("code", "")))


def lines(text: str) -> list[str]:
    """What stands on the lines of a text, without the empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def labels_of(text: str) -> dict[str, str]:
    """`key=value`, one a line."""
    pairs = (line.partition("=") for line in lines(text))
    return {key.strip(): value.strip() for key, _, value in pairs}


def labels_as_text(labels: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(labels.items()))


def named(items: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Choices: things by their ids, shown by their names."""
    return [(str(item["id"]), str(item["name"])) for item in items]
