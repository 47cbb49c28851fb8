"""The vocabulary of a stack, nothing else: Autoware's messages, CARLA's topics, AlpaSim's calls, to and from ours.

Message packages of a stack are a soft dependency: without them the package builds and drives, and its bridge says
which are missing.
"""
