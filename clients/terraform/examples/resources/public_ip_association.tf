resource "andromede_public_ip" "shop" {
  name = "shop"
  pool = "public-fr"
}

resource "andromede_instance" "shop" {
  name     = "shop"
  flavor   = "small"
  image    = "debian-13"
  networks = [andromede_network.lan.id]
}

resource "andromede_public_ip_association" "shop" {
  public_ip = andromede_public_ip.shop.id
  instance  = andromede_instance.shop.id
}
