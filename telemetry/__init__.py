"""Logs, metrics, health and traces of every process; knows neither control plane nor agent."""
