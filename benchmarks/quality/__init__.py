"""The quality of the loss: test figures against other losses', paired by seed, on tables and on images."""
