"""Which music fits a decision."""
