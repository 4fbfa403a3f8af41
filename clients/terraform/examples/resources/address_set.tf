resource "andromede_address_set" "offices" {
  name  = "offices"
  cidrs = ["192.0.2.0/24", "2001:db8:1::/48"]
}

resource "andromede_security_group" "web" {
  name     = "web"
  selector = "tier=web"
}

resource "andromede_security_group_rule" "ssh" {
  security_group = andromede_security_group.web.id
  direction      = "in"
  protocol       = "tcp"
  first_port     = 22
  address_set    = andromede_address_set.offices.id
}
