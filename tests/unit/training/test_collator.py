"""What nearly every published recipe gets wrong about Whisper's labels."""

import pytest
import torch

from tests.tiny import LARGE_V3_ID, TINY_ID
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.errors import InputError
from whisper_tuner.model.load import load_base, load_processor
from whisper_tuner.training.collator import IGNORED, Collator

START, ITALIAN, TRANSCRIBE, NO_TIMESTAMPS, END = 50258, 50274, 50359, 50363, 50257


@pytest.fixture
def clips(prepared) -> list[Clip]:
    return read_clips(prepared.dataset_dir, "train")[:4]


@pytest.fixture
def collator(prepared) -> Collator:
    return Collator(
        processor=load_processor(TINY_ID, "it"),
        dataset_dir=prepared.dataset_dir,
        start_id=START,
        window="speech",
        dtype=torch.float32,
    )


def test_decoder_reads_the_start_token_once(collator, clips):
    batch = collator(clips)
    prompt = [START, ITALIAN, TRANSCRIBE, NO_TIMESTAMPS]
    assert batch["decoder_input_ids"][:, :4].tolist() == [prompt] * len(clips)
    assert (batch["decoder_input_ids"] == START).sum() == len(clips)
    assert batch["labels"][:, :3].tolist() == [prompt[1:]] * len(clips)


def test_start_is_the_models_start_not_the_tokenizers_bos(collator, hub_cache):
    model = load_base(TINY_ID, "it", "32bit", torch.device("cpu"))
    assert model.config.decoder_start_token_id == collator.start_id
    assert collator.processor.tokenizer.bos_token_id != collator.start_id


def test_labels_are_what_follows_each_decoder_input(collator, clips):
    batch = collator(clips)
    inputs, labels = batch["decoder_input_ids"], batch["labels"]
    kept = labels[:, :-1] != IGNORED
    assert torch.equal(inputs[:, 1:][kept], labels[:, :-1][kept])


def test_padding_is_masked_by_length_and_the_end_token_is_learnt(collator, clips):
    labels = collator(clips)["labels"]
    assert collator.processor.tokenizer.pad_token_id == END  # the trap: padding looks like the end
    for row, clip in zip(labels, clips, strict=True):
        kept = row[row != IGNORED].tolist()
        assert kept[-1] == END
        assert kept.count(END) == 1
        assert len(kept) == clip.n_tokens
        assert collator.processor.tokenizer.decode(kept[3:-1]) == clip.text
    assert (labels == IGNORED).any()


def test_cantonese_has_its_own_token_in_large_v3(prepared, clips):
    processor = load_processor(LARGE_V3_ID, "yue")
    collator = Collator(processor, prepared.dataset_dir, START, "speech", torch.float32)
    labels = collator(clips)["labels"]
    assert processor.tokenizer.convert_ids_to_tokens(int(labels[0, 0])) == "<|yue|>"
    assert processor.tokenizer.convert_ids_to_tokens(int(labels[0, 1])) == "<|transcribe|>"


def test_cantonese_is_refused_by_older_bases(hub_cache):
    with pytest.raises(InputError) as caught:
        load_processor(TINY_ID, "yue")
    assert caught.value.code == "language_unknown"


def test_window_is_as_long_as_the_longest_clip_and_its_margin(collator, clips):
    longest_s = max(clip.duration_s for clip in clips)
    for _ in range(20):
        n_frames = collator(clips)["input_features"].shape[-1]
        assert n_frames % 2 == 0
        assert n_frames >= 200
        assert n_frames == 200 or longest_s + 0.48 <= n_frames / 100 <= longest_s + 1.3


def test_full_window_is_thirty_seconds(collator, clips):
    collator.window = "full"
    assert collator(clips)["input_features"].shape == (4, 80, 3000)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features_have_the_bases_dtype(collator, clips, dtype):
    collator.dtype = dtype
    assert collator(clips)["input_features"].dtype == dtype


def test_large_v3_gets_128_mels(prepared, clips):
    processor = load_processor(LARGE_V3_ID, "it")
    collator = Collator(processor, prepared.dataset_dir, START, "full", torch.float32)
    assert collator(clips)["input_features"].shape == (4, 128, 3000)
