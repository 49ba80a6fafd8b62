"""Prediction: the champion over new rows, in bounded memory."""
