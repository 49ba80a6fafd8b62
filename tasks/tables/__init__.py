"""Tables made of other tables, by SQL or by a function: the stage between convert and train."""
