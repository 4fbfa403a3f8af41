from django.urls import path

from controlplane.api.v1.classifications import views

urlpatterns = [
    path("organizations/<str:organization>/classifications", views.OrganizationClassificationList.as_view()),
    path("classifications", views.ClassificationList.as_view()),
    path("classifications/<str:classification>", views.ClassificationDetail.as_view()),
]
