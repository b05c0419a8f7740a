"""What the loss gives: figures on test rows beside other losses', paired by seed, on tables and on pictures."""
