"""The image benchmark: the paper's network trained with each loss at each batch size, and the layer's own cost.

``python -m benchmarks vision`` writes table.md, results.json, plots and runs.jsonl; see docs/torch.md.
"""
