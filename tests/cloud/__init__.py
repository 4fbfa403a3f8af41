"""Tests of a whole cloud with real guests."""
