"""Wall time and instants: zones, clock changes, cron expressions."""
