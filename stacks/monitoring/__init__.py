"""The Monitoring stack: dashboard, alarms and budget."""
