"""What people see of one report: its words, its chart, its page."""
