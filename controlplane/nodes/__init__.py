"""The machines that carry guests: enrolment, certificates, inventory, heartbeats, cordon, and the calls to their agents."""
