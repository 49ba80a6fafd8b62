"""A table: what it is made of, its versions, and how a new one takes the place of the one before."""
