"""What nearly every published recipe gets wrong about Whisper's labels."""

import pytest
import torch

from tests.tiny import LARGE_V3_ID, TINY_ID
from whisper_tuner.audio import read_flac
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.errors import InputError
from whisper_tuner.model.batches import Sample
from whisper_tuner.model.load import load_base, load_processor
from whisper_tuner.training.collator import IGNORED, Collator

START, ITALIAN, TRANSCRIBE, NO_TIMESTAMPS, END = 50258, 50274, 50359, 50363, 50257


@pytest.fixture
def clips(prepared) -> list[Clip]:
    return read_clips(prepared.dataset_dir, "train")[:4]


@pytest.fixture
def batch(clips) -> list[tuple[Clip, Sample]]:
    return [(clip, Sample(index, 300)) for index, clip in enumerate(clips)]


@pytest.fixture
def collator(prepared) -> Collator:
    return Collator(load_processor(TINY_ID, "it"), prepared.dataset_dir, START)


def test_decoder_reads_the_start_token_once(collator, batch, clips):
    batch = collator(batch)
    prompt = [START, ITALIAN, TRANSCRIBE, NO_TIMESTAMPS]
    assert batch["decoder_input_ids"][:, :4].tolist() == [prompt] * len(clips)
    assert (batch["decoder_input_ids"] == START).sum() == len(clips)
    assert batch["labels"][:, :3].tolist() == [prompt[1:]] * len(clips)


def test_start_is_the_models_start_not_the_tokenizers_bos(collator, hub_cache):
    model = load_base(TINY_ID, "it", "32bit", torch.device("cpu"))
    assert model.config.decoder_start_token_id == collator.start_id
    assert collator.processor.tokenizer.bos_token_id != collator.start_id


def test_labels_are_what_follows_each_decoder_input(collator, batch):
    batch = collator(batch)
    inputs, labels = batch["decoder_input_ids"], batch["labels"]
    kept = labels[:, :-1] != IGNORED
    assert torch.equal(inputs[:, 1:][kept], labels[:, :-1][kept])


def test_padding_is_masked_by_length_and_the_end_token_is_learnt(collator, batch, clips):
    labels = collator(batch)["labels"]
    assert collator.processor.tokenizer.pad_token_id == END  # the trap: padding looks like the end
    for row, clip in zip(labels, clips, strict=True):
        kept = row[row != IGNORED].tolist()
        assert kept[-1] == END
        assert kept.count(END) == 1
        assert len(kept) == clip.n_tokens
        assert collator.processor.tokenizer.decode(kept[3:-1]) == clip.text
    assert (labels == IGNORED).any()


def test_cantonese_has_its_own_token_in_large_v3(prepared, batch):
    processor = load_processor(LARGE_V3_ID, "yue")
    labels = Collator(processor, prepared.dataset_dir, START)(batch)["labels"]
    assert processor.tokenizer.convert_ids_to_tokens(int(labels[0, 0])) == "<|yue|>"
    assert processor.tokenizer.convert_ids_to_tokens(int(labels[0, 1])) == "<|transcribe|>"


def test_cantonese_is_refused_by_older_bases(hub_cache):
    with pytest.raises(InputError) as caught:
        load_processor(TINY_ID, "yue")
    assert caught.value.code == "language_unknown"


def test_audio_is_as_long_as_the_planned_window(collator, batch, clips):
    audio = collator(batch)["audio"]
    assert audio.shape == (4, 300 * 160)
    for row, clip in zip(audio, clips, strict=True):
        sound = torch.from_numpy(read_flac(collator.dataset_dir / clip.audio))
        assert torch.equal(row[: len(sound)], sound)
        assert not row[len(sound) :].any()


def test_a_clip_that_does_not_count_has_no_labels(collator, batch):
    clip, sample = batch[1]
    labels = collator([batch[0], (clip, sample._replace(counted=False))])["labels"]
    assert (labels[0] != IGNORED).any()
    assert (labels[1] == IGNORED).all()


def test_a_slower_clip_is_longer_by_its_speed(collator, clips):
    clip = clips[0]
    heard = {
        speed: collator([(clip, Sample(0, 3000, speed))])["audio"][0] for speed in (0.9, 1.0, 1.1)
    }
    n_samples = {speed: int(audio.nonzero().max()) + 1 for speed, audio in heard.items()}
    for speed in (0.9, 1.1):
        assert n_samples[speed] == pytest.approx(n_samples[1.0] / speed, rel=0.01)
    assert torch.equal(
        heard[1.0][: n_samples[1.0]],
        torch.from_numpy(read_flac(collator.dataset_dir / clip.audio))[: n_samples[1.0]],
    )
