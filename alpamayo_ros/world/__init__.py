"""The small world: seeded roads and traffic, four cameras, a rule driver with reasons, and the measuring of policies.

Plain Python on numpy and OpenCV, without ROS and torch. The rooms, each file using only those above it:

    scenario split                     what is to happen, drawn from a seed; what is kept from training
    curves roads scenery cast scene    the place and the plans of who takes part
    state vehicle                      an instant as values; the ego's motion
    longitudinal motorists walkers signals traffic     how the others behave
    rig render/ episode                cameras, pictures of an instant, the world's clock
    visibility perception              what the cameras show of it, in the route's coordinates
    causes follower driver reasons oracle    the rule driver: its future, its decision, its sentence; tracking a path
    sources closed_loop samples        a policy drives; training samples
    judge scoring counterfactual trial
    intervals report table evaluate    what came of it, in numbers
    overlay birdseye picture film      what came of it, to look at

World state reaches the rule driver, the judge and the renderer; an `Observation` is made from frames and odometry
alone (`sources`).
"""
