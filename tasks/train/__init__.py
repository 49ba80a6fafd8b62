"""Training: data, models, evaluation, checks, execution, registry, prediction, plots."""
