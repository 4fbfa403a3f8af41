resource "andromede_network" "lan" {
  name = "lan"
  cidr = "10.0.0.0/24"
}

resource "andromede_port" "database" {
  name      = "database"
  network   = andromede_network.lan.id
  addresses = ["10.0.0.40"]
}

resource "andromede_instance" "database" {
  name   = "database"
  flavor = "small"
  image  = "debian-13"
  ports  = [andromede_port.database.id]
}
