"""What past predictions have come to, now that their truth is known."""
