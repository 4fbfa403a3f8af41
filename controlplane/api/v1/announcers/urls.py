from django.urls import path

from controlplane.api.v1.announcers import views

urlpatterns = [
    path("announcers", views.AnnouncerList.as_view()),
    path("announcers/<str:announcer>", views.AnnouncerDetail.as_view()),
    path("announcers/<str:announcer>/incidents", views.AnnouncerIncidents.as_view()),
]
