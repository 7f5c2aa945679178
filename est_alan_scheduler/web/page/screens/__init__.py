"""The screens: the contents of each page, and the actions of its buttons."""
