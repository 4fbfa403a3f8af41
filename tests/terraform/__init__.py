"""Of the Terraform provider."""
