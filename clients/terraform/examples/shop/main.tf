# A web server with a public address, and a database that only the web server reaches.

variable "image" {
  type    = string
  default = "debian-13"
}

variable "flavor" {
  type    = string
  default = "small"
}

variable "pool" {
  type    = string
  default = "public"
}

variable "zone" {
  type        = string
  default     = "fr-idf-1"
  description = "The zone of the pool."
}

variable "dns_servers" {
  type    = list(string)
  default = []
}

resource "andromede_network" "shop" {
  name        = "shop"
  cidr        = "10.30.0.0/24"
  dns_servers = var.dns_servers
}

resource "andromede_subnet" "backend" {
  network     = andromede_network.shop.id
  name        = "backend"
  cidr        = "10.31.0.0/24"
  dns_servers = var.dns_servers
}

resource "andromede_security_group" "web" {
  name = "shop-web"
}

resource "andromede_security_group_rule" "http" {
  security_group = andromede_security_group.web.id
  direction      = "in"
  protocol       = "tcp"
  first_port     = 80
}

resource "andromede_security_group_rule" "out" {
  security_group = andromede_security_group.web.id
  direction      = "out"
}

resource "andromede_security_group" "database" {
  name = "shop-database"
}

resource "andromede_security_group_rule" "sql" {
  security_group = andromede_security_group.database.id
  direction      = "in"
  protocol       = "tcp"
  first_port     = 5432
  peer_group     = andromede_security_group.web.id
}

resource "andromede_port" "web" {
  name            = "shop-web"
  network         = andromede_network.shop.id
  addresses       = ["10.30.0.10"]
  security_groups = [andromede_security_group.web.id]
}

resource "andromede_port" "database" {
  name            = "shop-database"
  network         = andromede_network.shop.id
  addresses       = ["10.31.0.10"]
  security_groups = [andromede_security_group.database.id]
  depends_on      = [andromede_subnet.backend]
}

resource "andromede_instance" "web" {
  name   = "shop-web"
  flavor = var.flavor
  image  = var.image
  zones  = [var.zone]
  ports  = [andromede_port.web.id]
}

resource "andromede_instance" "database" {
  name   = "shop-database"
  flavor = var.flavor
  image  = var.image
  zones  = [var.zone]
  ports  = [andromede_port.database.id]
}

resource "andromede_public_ip" "www" {
  name = "www"
  pool = var.pool
}

resource "andromede_public_ip_association" "www" {
  public_ip = andromede_public_ip.www.id
  port      = andromede_port.web.id
}

output "address" {
  value = andromede_public_ip.www.ip
}
