"""The paper's network trained with each loss at each batch size; see docs/torch.md."""
