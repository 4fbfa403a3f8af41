from django.urls import path

from controlplane.api.v1.me import views

urlpatterns = [
    path("me", views.Me.as_view()),
]
