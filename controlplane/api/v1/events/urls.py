from django.urls import path

from controlplane.api.v1.events import views

urlpatterns = [
    path("events", views.EventList.as_view()),
    path("events/stream", views.EventStream.as_view()),
]
