"""The placement decision: request, fleet, filters, ranking, decision and explanation."""
