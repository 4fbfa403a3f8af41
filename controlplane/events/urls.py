from django.urls import path

from controlplane.events import api

urlpatterns = [
    path("events", api.EventList.as_view()),
    path("events/stream", api.EventStream.as_view()),
]
