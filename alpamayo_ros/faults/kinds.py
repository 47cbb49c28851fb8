"""The table of faults: what is done, to which driver, whether it can be told from the messages, and what names it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from alpamayo_ros.contract import Reason


class Told(str, Enum):
    """Whether a fault can be told from the messages at all."""

    YES = "yes"  # it has to be named, and no plan may be built on it
    HARMLESS = "harmless"  # it is put up with: right plans go on, and nothing need be said
    NO = "no"  # wrong and plausible: nothing in the messages shows it


class Group(str, Enum):
    """The driver that a fault is tried on."""

    PLAIN = "plain"  # compressed images, the system's clock
    RAW = "raw"  # raw images
    MAP = "map"  # plans in `map`, through TF
    SIMULATED = "simulated"  # use_sim_time
    MODEL = "model"  # as plain, with the small model instead of the fake
    REPLAY = "replay"  # no node: a replay of a bag


@dataclass(frozen=True)
class Kind:
    """One fault. `spoil`: the name of what the feed does; else an act of the lane of the same name is called.

    `lasts`: between how many seconds it lasts.
    """

    name: str
    told: Told
    names: tuple[Reason, ...]
    note: str
    group: Group = Group.PLAIN
    spoil: str = ""
    lasts: tuple[float, float] = (1.4, 2.0)


R = Reason
# Shorter than the history: a jump that stays for longer is taken for a correction of the localisation.
BRIEF = (0.8, 1.3)
_GAPS = (R.CAMERA_STALE, R.CAMERA_GAP, R.CAMERA_REPEAT, R.CAMERA_TOO_SLOW, R.CAMERA_SKEW)


def _fed(name: str, told: Told, names: tuple[Reason, ...], note: str, group: Group = Group.PLAIN) -> Kind:
    return Kind(name, told, names, note, group, name)


_CAMERAS = (
    _fed("camera_dead", Told.YES, _GAPS, "one camera falls silent"),
    _fed("reference_dead", Told.YES, _GAPS, "the reference camera falls silent"),
    _fed("all_cameras_dead", Told.YES, _GAPS, "all cameras fall silent"),
    _fed("everything_dead", Told.YES, _GAPS, "all sensors fall silent"),
    _fed("camera_frozen", Told.YES, (R.CAMERA_FROZEN,), "the same bytes under new stamps"),
    _fed("camera_stuck", Told.YES, _GAPS, "the same message again and again, stamp and all"),
    _fed("camera_slow", Told.YES, _GAPS, "2 to 3.3 Hz"),
    _fed("camera_late", Told.YES, _GAPS, "each frame 300 ms late"),
    _fed("reference_late", Told.HARMLESS, (), "the reference camera 300 ms late: ticks wait for it, and are right"),
    _fed("camera_lossy", Told.YES, _GAPS, "three frames of five are lost"),
    _fed("camera_doubled", Told.HARMLESS, (), "each frame twice"),
    _fed("cameras_out_of_order", Told.HARMLESS, (), "every other frame of a camera 60 ms late"),
    _fed("cameras_swapped", Told.YES, (R.FRAME_MISMATCH,), "left and right change places, frame ids and all"),
    _fed("pixels_swapped", Told.NO, (), "left and right change places under their right names"),
    _fed("camera_stamps_off", Told.NO, (), "a camera stamps 80 ms too early all the time"),
    _fed("camera_truncated", Told.YES, (R.IMAGE_CORRUPT,), "JPEGs are cut off"),
    _fed("camera_garbage", Told.YES, (R.IMAGE_ENCODING, R.IMAGE_CORRUPT), "noise instead of JPEGs"),
    _fed("camera_empty", Told.YES, (R.IMAGE_ENCODING,), "no bytes"),
    _fed("camera_bits_flipped", Told.NO, (R.IMAGE_CORRUPT,), "three bits of a JPEG: found where they break its code"),
    _fed("camera_malformed", Told.YES, (R.MESSAGE_CORRUPT,), "bytes that are no message"),
    _fed("camera_resized", Told.YES, (R.OBSERVATION_INVALID,), "another size every other frame"),
    _fed("camera_other_format", Told.YES, (R.IMAGE_ENCODING,), "H.264 under the same type"),
    _fed("camera_zero_stamp", Told.YES, (R.STAMP_INVALID,), "stamps of zero"),
    _fed("camera_future", Told.YES, _GAPS, "stamps of an hour ahead"),
    _fed("camera_two_publishers", Told.YES, (R.SEVERAL_PUBLISHERS,), "two camera drivers on one topic"),
    _fed("camera_other_type", Told.YES, _GAPS, "the topic is published with another type"),
    _fed("camera_flood", Told.YES, (R.STREAM_FLOOD,), "100 Hz from one camera"),
    _fed("cameras_flood", Told.YES, (R.STREAM_FLOOD,), "100 Hz from all four"),
    _fed("raw_encoding_unknown", Told.YES, (R.IMAGE_ENCODING,), "16UC1, 32FC3, jpeg or none", Group.RAW),
    _fed("raw_encoding_changes", Told.HARMLESS, (), "bgr8 and rgb8 in turn, said truly", Group.RAW),
    _fed("raw_short", Told.YES, (R.IMAGE_LENGTH,), "fewer bytes than the size needs", Group.RAW),
    _fed("raw_huge", Told.YES, (R.IMAGE_SIZE,), "a size that no memory holds", Group.RAW),
    _fed("raw_step_wrong", Told.YES, (R.IMAGE_LENGTH,), "a step shorter than a row", Group.RAW),
)
_ODOMETRY = (
    _fed("odometry_dead", Told.YES, (R.ODOMETRY_STALE,), "odometry falls silent"),
    _fed("odometry_frozen", Told.YES, (R.ODOMETRY_FROZEN,), "the pose stands under new stamps"),
    _fed("odometry_nan", Told.YES, (R.ODOMETRY_NOT_FINITE,), "NaN or infinity in the pose"),
    Kind("odometry_jump", Told.YES, (R.ODOMETRY_JUMP,), "50 m to a side, and back before the history is over",
         spoil="odometry_jump", lasts=BRIEF),
    _fed("odometry_spikes", Told.YES, (R.ODOMETRY_JUMP,), "one pose of twenty 50 m off"),
    _fed("odometry_huge", Told.YES, (R.ODOMETRY_JUMP, R.ODOMETRY_NOT_FINITE), "1e300 m"),
    _fed("odometry_quaternion", Told.YES, (R.QUATERNION_NOT_UNIT,), "a quaternion that is none"),
    _fed("odometry_wrong_frame", Told.YES, (R.FRAME_MISMATCH,),
         "another header.frame_id, taken for a new one after 0.6 s alone"),
    _fed("odometry_wrong_child", Told.YES, (R.FRAME_MISMATCH,), "another child_frame_id"),
    _fed("odometry_5hz", Told.HARMLESS, (), "5 Hz"),
    _fed("odometry_2hz", Told.YES, (R.ODOMETRY_GAP, R.ODOMETRY_STALE), "2 Hz"),
    _fed("odometry_late", Told.YES, (R.ODOMETRY_STALE,), "each pose 300 ms late"),
    _fed("odometry_zero_stamp", Told.YES, (R.STAMP_INVALID,), "stamps of zero"),
    _fed("odometry_malformed", Told.YES, (R.MESSAGE_CORRUPT,), "bytes that are no message"),
    _fed("odometry_scaled", Told.NO, (), "4 % too far, as with a worn tyre"),
    _fed("odometry_two_publishers", Told.YES, (R.SEVERAL_PUBLISHERS,), "two localisations on one topic"),
    _fed("odometry_flood", Told.YES, (R.STREAM_FLOOD,), "1000 Hz"),
)  # fmt: skip
_OTHERS = (
    _fed("command_long", Told.YES, (R.COMMAND_TOO_LONG,), "commands of up to 20 kB"),
    _fed("command_malformed", Told.YES, (R.MESSAGE_CORRUPT,), "bytes that are no message"),
    _fed("command_flood", Told.YES, (R.STREAM_FLOOD,), "200 commands a second"),
    _fed("command_injection", Told.HARMLESS, (), "control tokens and control characters"),
    _fed("tf_missing", Told.YES, (R.TF_UNAVAILABLE,), "/tf falls silent", Group.MAP),
    _fed("tf_late", Told.YES, (R.TF_UNAVAILABLE,), "each transform 300 ms late", Group.MAP),
    _fed("tf_loop", Told.YES, (R.TF_UNAVAILABLE,), "two frames are each other's parents", Group.MAP),
    _fed("tf_nan", Told.YES, (R.TF_UNAVAILABLE,), "NaN in a transform", Group.MAP),
    _fed("tf_malformed", Told.YES, (R.TF_UNAVAILABLE,), "bytes that are no message", Group.MAP),
    _fed("clock_back", Told.YES, (R.EPOCH_ENDED,), "time and stamps go back", Group.SIMULATED),
    _fed("clock_forward", Told.YES, (R.EPOCH_ENDED,), "time and stamps leap ahead", Group.SIMULATED),
    _fed("clock_stopped", Told.YES, (R.CLOCK_STOPPED,), "/clock stands, frames come", Group.SIMULATED),
    _fed("clock_ahead", Told.YES, (R.EPOCH_ENDED, R.PLAN_TOO_OLD), "/clock alone is 4 s ahead", Group.SIMULATED),
    _fed("time_paused", Told.YES, _GAPS, "a paused simulation", Group.SIMULATED),
)
_ACTS = (
    Kind("policy_raises", Told.YES, (R.POLICY_FAILED,), "an exception in every call"),
    Kind("policy_hangs", Told.YES, (R.POLICY_TIMEOUT,), "one call takes 10 s"),
    Kind("policy_nan", Told.YES, (R.PLAN_INVALID,), "NaN in the path"),
    Kind("policy_memory", Told.YES, (R.POLICY_FAILED,), "out of memory"),
    Kind("policy_shape", Told.YES, (R.PLAN_INVALID,), "an array of the wrong shape"),
    Kind("policy_far", Told.YES, (R.PLAN_INVALID,), "a path that begins a kilometre away"),
    Kind("subscriber_gone", Told.HARMLESS, (), "nobody listens to the plans, then somebody does again"),
    Kind("driver_stopped", Told.YES, (R.PROCESS_STALLED,), "SIGSTOP and SIGCONT of the driver"),
    Kind("world_stopped", Told.YES, _GAPS, "SIGSTOP and SIGCONT of the sensors"),
    Kind("world_killed", Told.YES, _GAPS, "kill -9 of the sensors, then new ones"),
    Kind("lifecycle_random", Told.HARMLESS, (), "lifecycle transitions at random moments"),
    Kind("parameters_random", Told.HARMLESS, (), "random parameters are set while it drives"),
    Kind("rig_swapped_at_start", Told.YES, (R.RIG_SWAPPED,), "as cameras_swapped, from the start"),
    Kind("disk_full", Told.YES, (), "the disk is full in the middle of a replay", Group.REPLAY),
    Kind("model_camera_dead", Told.YES, _GAPS, "one camera, with the small model", Group.MODEL, "camera_dead"),
    Kind("model_camera_truncated", Told.YES, (R.IMAGE_CORRUPT,), "JPEGs cut off, with it", Group.MODEL,
         "camera_truncated"),
    Kind("model_odometry_jump", Told.YES, (R.ODOMETRY_JUMP,), "50 m, with it", Group.MODEL, "odometry_jump", BRIEF),
    Kind("model_command_injection", Told.HARMLESS, (), "control tokens, with it", Group.MODEL, "command_injection"),
)  # fmt: skip

KINDS = {kind.name: kind for kind in (*_CAMERAS, *_ODOMETRY, *_OTHERS, *_ACTS)}
