resource "andromede_network" "shop" {
  name = "shop"
  cidr = "10.0.0.0/24"
}

resource "andromede_public_ip" "shop" {
  name = "shop"
  pool = "public"
}

resource "andromede_instance" "shop" {
  name     = "shop"
  flavor   = "small"
  image    = "debian-13"
  zones    = ["fr-idf-1"] # of the pool
  networks = [andromede_network.shop.id]
}

resource "andromede_public_ip_association" "shop" {
  public_ip = andromede_public_ip.shop.id
  instance  = andromede_instance.shop.id
}

# The source of what leaves the network from instances without a public address of their own.
resource "andromede_public_ip" "egress" {
  name = "egress"
  pool = "public"
}

resource "andromede_public_ip_association" "egress" {
  public_ip = andromede_public_ip.egress.id
  network   = andromede_network.shop.id
}
