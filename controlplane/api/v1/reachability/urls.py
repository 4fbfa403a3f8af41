from django.urls import path

from controlplane.api.v1.reachability import views

urlpatterns = [path("projects/<str:project>/reachability", views.ReachabilityCheck.as_view())]
