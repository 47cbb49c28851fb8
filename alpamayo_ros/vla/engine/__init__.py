"""The real-time engine: the same model as the plain path, arranged so that nothing waits.

`engine.Engine` is the way in; `presets.PRESETS` names its configurations. The plain path beside it is its oracle.
"""
