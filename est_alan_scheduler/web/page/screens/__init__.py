"""The screens: what each page shows, and what its buttons do."""
