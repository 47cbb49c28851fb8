"""What the engine does, technique by technique, and the named sets of them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Switches:
    """One switch a technique; all but `products` leave the model's mathematics as it is.

    Attributes:
        kernels: Triton kernels; without them their twins in PyTorch (as on a CPU, or in float32).
        graphs: CUDA graphs of preprocessing, vision, decode step and flow.
        dependent_launch: a kernel's weights are loaded while the kernel before is finishing (compute capability 9.0).
        image_cache: an image seen in an earlier tick is not encoded again.
        draft: the last tick's reasoning is verified together with the prompt (one sample).
        prefix: the part of the next prompt that is known already is read after the tick, before the next one comes.
        products: weights of the language model's and the expert's linears: "" as they are, "fp8" (and the activations
            of large products), or "int8". Who loads a model for "int8" loads it so: bf16 weights are never on the card.
    """

    kernels: bool = True
    graphs: bool = True
    dependent_launch: bool = True
    image_cache: bool = True
    draft: bool = True
    prefix: bool = True
    products: str = ""

    @property
    def stateful(self) -> bool:
        """Whether a tick is faster for what the one before it left."""
        return self.image_cache or self.draft or self.prefix


_STATES = {"": Switches(), "_stateless": Switches(image_cache=False, draft=False, prefix=False)}

PRESETS = {
    name + state: replace(switches, products=products)
    for name, products in (("exact", ""), ("fp8", "fp8"), ("int8", "int8"))
    for state, switches in _STATES.items()
}
