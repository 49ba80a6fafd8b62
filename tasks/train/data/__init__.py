"""The training set, its features and how its rows are split."""
