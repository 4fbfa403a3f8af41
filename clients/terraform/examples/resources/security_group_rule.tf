resource "andromede_security_group" "web" {
  name = "web"
}

resource "andromede_security_group" "database" {
  name = "database"
}

resource "andromede_security_group_rule" "https" {
  security_group = andromede_security_group.web.id
  direction      = "in"
  protocol       = "tcp"
  first_port     = 443
}

# Only the web servers reach the database.
resource "andromede_security_group_rule" "sql" {
  security_group = andromede_security_group.database.id
  direction      = "in"
  protocol       = "tcp"
  first_port     = 5432
  peer_group     = andromede_security_group.web.id
}
