"""A checkpoint as four ONNX graphs: vision, prefill, decode step, expert step.

    graph       building a graph; weights that stay in the checkpoint's own files
    layers      norms, projections, rotary attention, feed-forward
    graphs      the four graphs, float32
    command     `scripts/export_onnx`

The graphs hold no weights: each initialiser points into the checkpoint's safetensors files, so the weights exist once,
whatever their precision there. Needs the `onnx` package and no torch. What runs the graphs is `policies/onnx.py`.
"""
