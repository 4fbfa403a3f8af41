"""Tests of the Terraform provider."""
