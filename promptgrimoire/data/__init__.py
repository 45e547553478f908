"""What is read from a journal, for people and for analysis. Never writes to one."""
