"""The vocabulary: ids of the extension, the history tokenizer's golden vectors, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer

from alpamayo_ros.bench import stand_in
from alpamayo_ros.vla import config, released, tokens
from alpamayo_ros.vla.config import HistoryConfig
from alpamayo_ros.vla.errors import CheckpointError, InputError


def test_ids_of_the_released_vocabulary():
    settings = config.parse(released.config("r1"), released.base())
    vocabulary = tokens.extend(stand_in.tokenizer(), settings)
    assert vocabulary.tokenizer.get_vocab_size() == 155697
    assert vocabulary.tokenizer.token_to_id("<i0>") == 151669
    assert vocabulary.tokenizer.token_to_id("<i3999>") == 155668
    expected = {"prompt_start": 155669, "image_pre_tkn": 155672, "traj_history_start": 155674, "cot_end": 155678}
    expected |= {"traj_future_start": 155681, "traj_history": 155684, "vectorized_wm": 155686, "route_start": 155690}
    expected |= {"answer_end": 155696, "im_end": 151645, "im_start": 151644, "endoftext": 151643, "image_pad": 151655}
    assert {name: vocabulary.id(name) for name in expected} == expected
    assert settings.history_start == 154669


def test_1_5_renames_nine_unused_slots_without_moving_an_id():
    r1, v15 = tokens.special_names("r1"), tokens.special_names("1_5")
    renamed = [(old, new) for old, new in zip(r1, v15, strict=True) if old != new]
    assert [new for _, new in renamed] == [f"_padding_{k}" for k in range(9)]
    assert renamed[0][0] == "image_pre_tkn" and renamed[-1][0] == "vectorized_wm_pre_tkn"


@pytest.mark.parametrize("variant", ["r1", "1_5"])
def test_ids_are_the_recorded_ones(variant, loaded, folders):
    recorded = json.loads((folders[variant] / "golden.json").read_text())["special_token_ids"]
    assert {name: loaded[variant].vocabulary.id(name) for name in recorded} == recorded


def test_text_survives_encoding_and_decoding(loaded):
    vocabulary = loaded["r1"].vocabulary
    text = "Stop for the red light, 5 m ahead: naïve détour.<|cot_end|><|traj_future_start|>"
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_a_tokenizer_of_another_length_is_refused(folders, loaded):
    settings = replace(loaded["r1"].model.config, trajectory_start=264)
    with pytest.raises(CheckpointError, match="263 entries.*264"):
        tokens.extend(Tokenizer.from_file(str(folders["r1"] / "vlm_base" / "tokenizer.json")), settings)


def test_ids_that_contradict_the_configuration_are_refused(folders, loaded):
    ids = loaded["r1"].model.config.trajectory_ids
    settings = replace(loaded["r1"].model.config, trajectory_ids={**ids, "future_start": 4276})
    with pytest.raises(CheckpointError, match="traj_token_ids.future_start: tokenizer 4275, config.json 4276"):
        tokens.extend(Tokenizer.from_file(str(folders["r1"] / "vlm_base" / "tokenizer.json")), settings)


def test_history_straight_at_ten_metres_a_second():
    xyz = np.stack([np.arange(16) - 15.0, np.zeros(16), np.zeros(16)], axis=-1)
    bins = tokens.history_bins(xyz, HistoryConfig())
    assert bins.tolist() == [0, 500, 500] + 15 * [624, 500, 500]


def test_history_at_a_standstill():
    assert tokens.history_bins(np.zeros((16, 3)), HistoryConfig()).tolist() == 48 * [500]


def test_history_on_a_curve():
    t = np.linspace(-1.5, 0, 16)
    xyz = np.stack([8 * t + 0.3 * t**2, 0.05 * t**2, 0.01 * t], axis=-1)
    x = [0, 589, 589, 590, 591, 592, 592, 593, 594, 595, 595, 596, 597, 598, 598, 599]
    y = [514] + 7 * [498] + 8 * [499]
    z = [499] + 15 * [500]
    assert tokens.history_bins(xyz, HistoryConfig()).tolist() == np.stack([x, y, z], axis=-1).ravel().tolist()


def test_the_last_texts_are_tokenised_once(loaded):
    vocabulary = loaded["r1"].vocabulary
    ids = vocabulary.encode("turn left")
    assert vocabulary.encode("turn left") is ids and vocabulary.decode(ids) == "turn left"
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 0
    for number in range(tokens.KEPT_TEXTS):
        vocabulary.encode(f"exit {number}")
    assert len(vocabulary._encoded) == tokens.KEPT_TEXTS
    assert vocabulary.encode("turn left") is not ids and (vocabulary.encode("turn left") == ids).all()


def test_history_tokens_take_the_placeholders_in_order(loaded):
    settings, vocabulary = loaded["r1"].model.config, loaded["r1"].vocabulary
    ids = vocabulary.encode("a" + 48 * "<|traj_history|>" + "b")
    fused = tokens.fuse_history(ids, np.zeros((16, 3)), settings, vocabulary.ids.history)
    assert fused[1:-1].tolist() == 48 * [settings.history_start + 500]
    assert fused[0] == ids[0] and fused[-1] == ids[-1] and (ids[1:-1] == vocabulary.ids.history).all()


def test_too_few_places_for_the_history_are_refused(loaded):
    settings, vocabulary = loaded["r1"].model.config, loaded["r1"].vocabulary
    ids = vocabulary.encode(47 * "<|traj_history|>")
    with pytest.raises(InputError, match="history_tokens: the prompt has 47 places for 48"):
        tokens.fuse_history(ids, np.zeros((16, 3)), settings, vocabulary.ids.history)
