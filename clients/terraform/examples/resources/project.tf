# With a token for the whole organization: one for a single project makes no others.
resource "andromede_project" "shop" {
  name   = "shop"
  labels = { env = "prod" }
}

resource "andromede_network" "lan" {
  project = andromede_project.shop.id
  name    = "lan"
  cidr    = "10.10.0.0/24"
}
