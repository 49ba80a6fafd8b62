"""How much each host gets at once, learned from its answers."""
