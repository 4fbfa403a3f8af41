resource "andromede_network" "lan" {
  name = "lan"
  cidr = "10.20.0.0/24"
}

resource "andromede_security_group" "web" {
  name        = "web"
  description = "Web servers"
  labels      = { env = "prod" }
}

resource "andromede_instance" "web" {
  name            = "web"
  flavor          = "small"
  image           = "debian-13"
  networks        = [andromede_network.lan.id]
  security_groups = [andromede_security_group.web.name]
}
