"""The engine's kernels: `twins` in plain PyTorch, `fused` in Triton with the same functions."""
