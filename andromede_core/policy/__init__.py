"""Placement policies: clauses, their evaluation against facts, comparison, exemptions and forecasts."""
