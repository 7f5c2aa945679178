"""Changes that are made here, on their way to the store: registrations and edits."""
