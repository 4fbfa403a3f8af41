"""Choices as cards to tick: of several any, or of several one."""

from typing import Any

from django import forms
from django.forms import widgets


class CheckboxCards(widgets.CheckboxSelectMultiple):
    template_name = "dashboard/forms/choices.html"


class Cards(widgets.RadioSelect):
    template_name = "dashboard/forms/choices.html"


def multiple_choice(label: Any, hint: Any = "") -> forms.MultipleChoiceField:
    """Any of several, or none."""
    return forms.MultipleChoiceField(label=label, help_text=hint, required=False, widget=CheckboxCards)
