from django.urls import path

from controlplane.api.v1.declassifications import views

urlpatterns = [
    path("organizations/<str:organization>/declassifications", views.DeclassificationList.as_view()),
    path("organizations/<str:organization>/resources/<str:resource>/lineage", views.ResourceLineage.as_view()),
]
