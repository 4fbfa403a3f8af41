from django.urls import path

from controlplane.api.v1.policy_proposals import views

PROPOSAL = "policy-proposals/<str:proposal>"

urlpatterns = [
    path("policy-proposals", views.ProposalList.as_view()),
    path(PROPOSAL, views.ProposalDetail.as_view()),
    path(f"{PROPOSAL}/actions/approve", views.ProposalApprove.as_view()),
    path(f"{PROPOSAL}/actions/withdraw", views.ProposalWithdraw.as_view()),
]
