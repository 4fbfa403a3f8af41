resource "andromede_public_ip" "www" {
  name = "www"
  pool = "public-fr"
  ptr  = "www.example.org"
}
