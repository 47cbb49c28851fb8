"""Pictures of the world: meshes, ground, backdrop, and one renderer a camera. Knows states and scenes, no behaviour."""
