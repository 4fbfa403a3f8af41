from django.urls import path

from controlplane.api.v1.invitations import views

urlpatterns = [
    path("organizations/<str:organization>/invitations", views.InvitationList.as_view()),
    path("organizations/<str:organization>/invitations/<str:invitation>", views.InvitationDetail.as_view()),
    path("invitations/actions/accept", views.InvitationAccept.as_view()),
]
