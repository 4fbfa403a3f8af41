from django.urls import path

from controlplane.api.v1.officer_keys import views

urlpatterns = [
    path("officer-keys", views.OfficerKeyList.as_view()),
    path("officer-keys/<str:officer_key>", views.OfficerKeyDetail.as_view()),
]
