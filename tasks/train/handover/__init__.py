"""Versions handed on to others: as ONNX, or to MLflow."""
