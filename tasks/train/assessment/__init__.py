"""What the best candidate is worth in use: chosen on its out-of-fold predictions, judged once on the hold-out."""
