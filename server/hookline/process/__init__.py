"""What receiver and worker processes share: logs, signals, HTTP listeners, readiness."""
