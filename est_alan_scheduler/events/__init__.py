"""Events and their subscribers."""
