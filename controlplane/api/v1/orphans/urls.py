from django.urls import path

from controlplane.api.v1.orphans import views

ORPHAN = "orphans/<str:orphan>"

urlpatterns = [
    path("orphans", views.OrphanList.as_view()),
    path(ORPHAN, views.OrphanDetail.as_view()),
    path(f"{ORPHAN}/actions/discard", views.OrphanDiscard.as_view()),
    path(f"{ORPHAN}/actions/release", views.OrphanRelease.as_view()),
]
