"""Everything that goes wrong on a vehicle, injected into the real node over real DDS, judged by who knows the truth.

    truth          what the cameras show and where the vehicle is at any stamp
    feed spoilers  the sensors, a process of their own; what can go wrong with them, from a seed
    policy driver  the fake at the policy seam, which tells what it saw; the driver's process
    ears oracle    what the driver publishes; whether a plan was built on bad input, and what was named when
    kinds acts lane   the table of faults; those that are done to processes; one driver and one feed, fault after fault
    disk report main soak fuzz   a full disk; `python -m alpamayo_ros faults`, `soak` and `fuzz`
"""
