from django.urls import path

from controlplane.api.v1.sessions import views

urlpatterns = [
    path("sessions", views.SessionList.as_view()),
    path("sessions/actions/verify", views.SessionVerify.as_view()),
    path("sessions/actions/end-others", views.SessionEndOthers.as_view()),
    path("sessions/<str:session>", views.SessionDetail.as_view()),
    path("users/<str:user>/sessions", views.UserSessions.as_view()),
]
