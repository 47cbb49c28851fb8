"""The model on ONNX Runtime: the exported graphs with numpy around them. No torch, no transformers.

    sessions    the four graphs of a checkpoint folder, on the CPU or a GPU
    features    image features, each image encoded once
    sampling    from logits to tokens
    rollout     one tick

What a prompt says, how an image is resized and what an action means are `vla/`'s torch-free files', the same that the
PyTorch path uses.
"""
