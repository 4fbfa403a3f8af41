from django.urls import path

from controlplane.placement import (
    api,
    classification_api,
    declassification_api,
    exemptions_api,
    image_api,
    policy_api,
    zone_api,
)

urlpatterns = [
    path("zones", zone_api.ZoneList.as_view()),
    path("zones/<str:zone>/capacity", zone_api.ZoneCapacity.as_view()),
    path("placement/simulations", zone_api.Simulation.as_view()),
    path("projects/<str:project>/images", image_api.ImageList.as_view()),
    path("projects/<str:project>/images/<str:image>", image_api.ImageDetail.as_view()),
    path("projects/<str:project>/images/<str:image>/file", image_api.ImageFile.as_view()),
    path("platform/policy", policy_api.PlatformPolicy.as_view()),
    path("platform/policy/actions/undo", policy_api.PlatformPolicyUndo.as_view()),
    path("organizations/<str:organization>/policy", policy_api.OrganizationPolicy.as_view()),
    path("organizations/<str:organization>/policy/actions/undo", policy_api.OrganizationPolicyUndo.as_view()),
    path(
        "organizations/<str:organization>/classifications", classification_api.OrganizationClassificationList.as_view()
    ),
    path("organizations/<str:organization>/declassifications", declassification_api.DeclassificationList.as_view()),
    path(
        "organizations/<str:organization>/resources/<str:resource>/lineage",
        declassification_api.ResourceLineage.as_view(),
    ),
    path("projects/<str:project>/policy", policy_api.ProjectPolicy.as_view()),
    path("projects/<str:project>/policy/actions/undo", policy_api.ProjectPolicyUndo.as_view()),
    path("classifications", classification_api.ClassificationList.as_view()),
    path("classifications/<str:classification>", classification_api.ClassificationDetail.as_view()),
    path("classifications/<str:classification>/policy", policy_api.ClassificationPolicy.as_view()),
    path("classifications/<str:classification>/policy/actions/undo", policy_api.ClassificationPolicyUndo.as_view()),
    path("policy-proposals", policy_api.ProposalList.as_view()),
    path("policy-proposals/<str:proposal>", policy_api.ProposalDetail.as_view()),
    path("policy-proposals/<str:proposal>/actions/approve", policy_api.ProposalApprove.as_view()),
    path("policy-proposals/<str:proposal>/actions/withdraw", policy_api.ProposalWithdraw.as_view()),
    path("projects/<str:project>/decisions/<str:decision>", api.DecisionDetail.as_view()),
    path("exemptions", exemptions_api.ExemptionList.as_view()),
    path("exemptions/report", exemptions_api.ExemptionReport.as_view()),
    path("exemptions/<str:exemption>", exemptions_api.ExemptionDetail.as_view()),
    path("exemptions/<str:exemption>/actions/approve", exemptions_api.ExemptionApprove.as_view()),
]
