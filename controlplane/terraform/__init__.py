"""What Terraform asks of a control plane: a place for its states, and a registry of the provider."""
