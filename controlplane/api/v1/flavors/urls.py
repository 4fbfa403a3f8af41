from django.urls import path

from controlplane.api.v1.flavors import views

urlpatterns = [
    path("flavors", views.FlavorList.as_view()),
]
