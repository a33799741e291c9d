"""A strategy that trades what a model learned, and what the training has in common with it: features, model files."""
