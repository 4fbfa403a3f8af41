"""Choices as cards: several or one."""

from typing import Any

from django import forms
from django.forms import widgets


class CheckboxCards(widgets.CheckboxSelectMultiple):
    template_name = "dashboard/forms/choices.html"


class Cards(widgets.RadioSelect):
    template_name = "dashboard/forms/choices.html"


def multiple_choice(label: Any, hint: Any = "") -> forms.MultipleChoiceField:
    """Return a field with several choices, all optional."""
    return forms.MultipleChoiceField(label=label, help_text=hint, required=False, widget=CheckboxCards)
