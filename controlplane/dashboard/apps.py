from django.apps import AppConfig


class Dashboard(AppConfig):
    name = "controlplane.dashboard"
    label = "dashboard"
