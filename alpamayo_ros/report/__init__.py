"""What a replay looks like: one HTML file that needs nothing else, and a video."""
