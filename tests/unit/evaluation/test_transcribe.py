"""Clips to texts at 30 seconds and in the speech window, on tiny random Whispers."""

import pytest
import torch

from tests.sounds import speech
from tests.tiny import LARGE_V3_ID, TINY_ID
from tests.unit.evaluation.conftest import Heard, make_run, taught
from whisper_tuner.audio import read_flac
from whisper_tuner.config import PRECISIONS
from whisper_tuner.data.clips import read_clips
from whisper_tuner.evaluation.transcribe import (
    MAX_TOKENS,
    batches,
    listen_to_silence,
    n_that_fit,
    transcribe_arrays,
    transcribe_clips,
)
from whisper_tuner.model.frames import STRIDE_LISTENING, n_read, window_frames

START = torch.tensor([[50258]])


def in_window(model, processor, audios, precision="32bit"):
    """Their texts in the speech window."""
    beginnings = [audio[:12_800] for audio in audios]
    silence = listen_to_silence(model, processor, beginnings, precision)
    return transcribe_arrays(model, processor, audios, precision, silence)


def logits_at_30_s(model, n_mels):
    """What the plain model says to the start token, at 30 seconds."""
    dtype = model.get_encoder().conv1.weight.dtype
    features = torch.linspace(-1, 1, n_mels * 3000).reshape(1, n_mels, 3000).to(dtype)
    with torch.no_grad():
        return model.eval()(input_features=features, decoder_input_ids=START).logits


@pytest.mark.parametrize(
    ("base_id", "n_mels", "precision"),
    [
        *((TINY_ID, 80, precision) for precision in PRECISIONS),
        *((LARGE_V3_ID, 128, precision) for precision in ("8bit", "32bit")),
    ],
)
def test_speech_window_is_all_the_encoder_sees_and_leaves_no_trace(
    hub_cache, base_id, n_mels, precision
):
    model, processor = taught(base_id, precision)
    before, names = logits_at_30_s(model, n_mels), [n for n, _ in model.named_parameters()]
    positions, generation = model.get_encoder().embed_positions, model.generation_config.to_dict()
    heard = Heard(model)
    audios = [speech(0.6), speech(1.3), speech(0.2)]
    texts = in_window(model, processor, audios, precision)
    assert len(texts) == 3
    assert any(texts)
    assert heard.shapes == [(3, n_mels, 3000), (3, n_mels, window_frames(1.3, "speech"))]
    assert torch.equal(logits_at_30_s(model, n_mels), before)
    assert [n for n, _ in model.named_parameters()] == names
    assert model.get_encoder().embed_positions is positions
    assert model.generation_config.to_dict() == generation
    assert model.config.max_source_positions == 1500


def test_ordinary_inference_is_30_seconds(tiny):
    heard = Heard(tiny[0])
    transcribe_arrays(*tiny, [speech(0.6)], "32bit")
    assert heard.shapes == [(1, 80, 3000)]


def test_a_text_does_not_hang_on_the_others_of_its_batch(tiny):
    """A model that loops, as a random one does, is cut off by each clip's own length."""
    short, long = speech(0.4), speech(2.0)
    together = transcribe_arrays(*tiny, [short, long], "32bit")
    alone = [transcribe_arrays(*tiny, [audio], "32bit")[0] for audio in (short, long)]
    assert together == alone
    n_tokens = [len(tiny[1].tokenizer(text, add_special_tokens=False).input_ids) for text in alone]
    assert n_tokens[0] < n_tokens[1]


def test_30_seconds_are_heard_whole_and_a_loop_ends_at_the_last_position(tiny):
    model, processor = tiny
    heard, n_tokens = Heard(model), []
    hook = model.get_base_model().model.decoder.register_forward_pre_hook(
        lambda _, args, kwargs: n_tokens.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    in_window(model, processor, [speech(30.0)])
    hook.remove()
    assert heard.shapes == [(1, 80, 3000)] * 2  # the silence, and the clip
    assert 4 < sum(n_tokens) <= MAX_TOKENS  # more than the prompt


@pytest.mark.parametrize("is_training", [True, False])
def test_the_models_mode_is_given_back(tiny, is_training):
    model, processor = tiny
    model.train(is_training)
    in_window(model, processor, [speech(0.5)])
    assert model.training is is_training
    assert model.get_encoder().training is is_training


@pytest.mark.parametrize(("window", "at_once"), [("full", 1), ("speech", 2)])
def test_texts_come_in_the_order_of_the_clips(tiny, tmp_path, window, at_once):
    run = make_run(tmp_path, (1.5, 2.0, 1.7))
    clips = read_clips(run.dataset_dir)
    counts = []
    texts = transcribe_clips(
        *tiny, clips, run.dataset_dir, "32bit", at_once, lambda *n: counts.append(n), window
    )
    longest_first = [speech(s, seed) for s, seed in ((2.0, 1), (1.7, 2), (1.5, 0))]
    if window == "full":
        heard = [transcribe_arrays(*tiny, [audio], "32bit")[0] for audio in longest_first]
        assert counts == [(1, 3), (2, 3), (3, 3)]
    else:
        in_order = [read_flac(run.dataset_dir / clip.audio)[:12_800] for clip in clips]
        silence = listen_to_silence(*tiny, in_order, "32bit")
        heard = transcribe_arrays(*tiny, longest_first, "32bit", silence)
        assert counts == [(3, 3)]
    assert texts == [heard[2], heard[0], heard[1]]


def test_an_asked_stop_ends_between_two_batches(tiny, tmp_path):
    run = make_run(tmp_path, (0.5, 0.6))
    heard = Heard(tiny[0])

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        transcribe_clips(
            *tiny, read_clips(run.dataset_dir), run.dataset_dir, "32bit", 1, stop, "full"
        )
    assert heard.n_clips == 1


def test_batches_at_30_seconds_go_by_count():
    assert list(batches([1.0, 9.0, 5.0, 7.0, 3.0], 2, "full")) == [[1, 3], [2, 4], [0]]


def test_batches_in_the_speech_window_go_by_what_is_read():
    durations_s = [29.5, *(4.1 for _ in range(20)), *(0.2 for _ in range(40))]
    found = list(batches(durations_s, 2, "speech"))
    assert [len(batch) for batch in found] == [
        1,
        *[3] * 6,
        2,
        *[3] * 13,
        1,
    ]  # of 30, 4.3 and 1 s
    assert sorted(i for batch in found for i in batch) == list(range(61))
    for batch in found:
        longest_s = max(durations_s[i] for i in batch)
        read = n_read(window_frames(longest_s, "speech") // 2, STRIDE_LISTENING)
        assert len(batch) * read <= 2 * 1500


def test_a_short_clip_is_not_made_as_long_as_a_much_longer_one():
    assert list(batches([1.0, 4.1, 2.5, 3.0], 8, "speech")) == [
        [1, 3],
        [2],
        [0],
    ]  # 4.3, 3.2, 2.7, 1.2 s


@pytest.mark.parametrize(
    ("width", "free_gb", "n"),
    [(1280, 0, 4), (1280, 5, 4), (1280, 12, 6), (1280, 75, 32), (512, 0, 8), (512, 12, 15)],
)
def test_more_clips_at_once_where_there_is_memory(width, free_gb, n):
    assert n_that_fit(width, free_gb * 10**9) == n
