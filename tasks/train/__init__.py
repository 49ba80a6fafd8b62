"""Training: training set, candidates, evaluation, model store."""
