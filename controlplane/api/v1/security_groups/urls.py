from django.urls import path

from controlplane.api.v1.security_groups import views

PROJECT = "projects/<str:project>"
GROUP = f"{PROJECT}/security-groups/<str:security_group>"

urlpatterns = [
    path(f"{PROJECT}/security-groups", views.SecurityGroupList.as_view()),
    path(GROUP, views.SecurityGroupDetail.as_view()),
    path(f"{GROUP}/rules", views.SecurityGroupRuleList.as_view()),
    path(f"{GROUP}/rules/<str:rule>", views.SecurityGroupRuleDetail.as_view()),
    path(f"{PROJECT}/instances/<str:instance>/security-groups", views.InstanceSecurityGroups.as_view()),
]
