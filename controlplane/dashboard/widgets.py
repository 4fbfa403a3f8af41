"""Choices as cards to tick: of several any, or of several one."""

from django.forms import widgets


class Ticks(widgets.CheckboxSelectMultiple):
    template_name = "dashboard/forms/choices.html"


class Cards(widgets.RadioSelect):
    template_name = "dashboard/forms/choices.html"
