resource "andromede_network" "lan" {
  name            = "lan"
  cidr            = "10.10.0.0/24"
  dns_servers     = ["9.9.9.9"]
  domain_search   = ["corp.example"]
  reserved_ranges = ["10.10.0.2-10.10.0.9"]
  labels          = { env = "prod" }
}
