"""Trains the small Alpamayo that ships: data from the small world, the model of `vla`, on one GPU.

    small vocabulary        the configuration and the tokenizer
    layout                  where the tokens of a prompt and its answer stand
    recording actors        drives as arrays, made by many processes while the GPU trains
    store                   the drives on the GPU
    forward objective       whole batches through the modules of `vla.model`; what is minimised
    speech serving driver   the model asked by many drives at once
    optimiser state progress loop      the training
    evaluate stops card     what came of it

`scripts/train_tiny` is the way in. At inference none of this is used: the checkpoint is one for `vla.load`.
"""
