"""Files converted to staged parts."""
