"""Of the dashboard, in Chromium."""
