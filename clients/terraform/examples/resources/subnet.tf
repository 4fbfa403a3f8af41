resource "andromede_network" "lan" {
  name = "lan"
  cidr = "10.0.0.0/24"
}

resource "andromede_subnet" "backend" {
  network         = andromede_network.lan.id
  name            = "backend"
  cidr            = "10.1.0.0/24"
  ipv6_cidr       = "fd4a:21:7c05:1::/64"
  reserved_ranges = ["10.1.0.2-10.1.0.9"]
}
