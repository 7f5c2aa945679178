"""The form of a task: the texts that its controls show, and the changes that other texts in them mean."""
