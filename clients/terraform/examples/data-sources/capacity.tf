data "andromede_capacity" "here" {
  zone   = "fr-idf-1"
  flavor = "small"
}

check "room" {
  assert {
    condition     = data.andromede_capacity.here.fits >= 2
    error_message = "There is no room for two more."
  }
}
