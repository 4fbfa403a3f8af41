"""Compliance of existing data with its policies: compliance drift, warnings, remediation plans and impact
simulations.
"""
