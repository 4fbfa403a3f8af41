resource "andromede_project" "shop" {
  name = "shop"
}

# It deploys to the shop, and sees everything else.
resource "andromede_service_account" "deploy" {
  name = "deploy"
  grants = [
    { role = "viewer" },
    { project = andromede_project.shop.id, role = "member" },
  ]
}
