data "andromede_images" "debian" {
  name = "debian-13"
}

output "image" {
  value = data.andromede_images.debian.images[0].id
}
