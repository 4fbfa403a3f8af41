resource "andromede_public_ip" "www" {
  name = "www"
  pool = "public"
  ptr  = "www.example.org"
}
