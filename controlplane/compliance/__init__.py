"""Whether what is already somewhere may still be there: drift, warnings, remediation plans and what-if questions."""
