from django.urls import path

from controlplane.api.v1.users import views

urlpatterns = [
    path("users", views.UserList.as_view()),
    path("users/<str:user>", views.UserDetail.as_view()),
    path("users/<str:user>/duty", views.UserDuty.as_view()),
    path("me/duty", views.OwnDuty.as_view()),
    path("users/<str:user>/actions/suspend", views.UserSuspend.as_view()),
    path("users/<str:user>/actions/reinstate", views.UserReinstate.as_view()),
]
