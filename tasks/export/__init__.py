"""Tables written for others to read: to files, databases and Delta tables, each as a whole or not at all."""
