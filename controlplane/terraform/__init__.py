"""Terraform support: storage of its states, and a registry of the provider."""
