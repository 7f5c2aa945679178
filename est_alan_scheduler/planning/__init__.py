"""Planning: which tasks may be due, and which of them may go ahead."""
