from django.urls import path

from controlplane.quotas import api

urlpatterns = [path("projects/<str:project>/limits", api.Limits.as_view())]
