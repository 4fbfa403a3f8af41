terraform {
  required_providers {
    andromede = {
      source = "andromede/andromede"
    }
  }
}

# ANDROMEDE_TOKEN in the environment keeps the token out of files.
provider "andromede" {
  url     = "https://andromede.example.org"
  project = "website"
}
