resource "andromede_subnet" "backend" {
  network         = andromede_network.lan.id
  name            = "backend"
  cidr            = "10.1.0.0/24"
  reserved_ranges = ["10.1.0.2-10.1.0.9"]
}
