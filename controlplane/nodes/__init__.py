"""The machines that carry guests: enrolment, certificates, inventory, heartbeats, cordon, calls to their agents."""
