from django.urls import path

from controlplane.api.v1.members import views

urlpatterns = [
    path("organizations/<str:organization>/members", views.MemberList.as_view()),
    path("organizations/<str:organization>/members/<str:member>", views.MemberDetail.as_view()),
]
