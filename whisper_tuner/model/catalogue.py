"""The base models on offer and what LoRA adds to each, from their published configs. No torch."""

from dataclasses import dataclass

from whisper_tuner.config import LoraSettings
from whisper_tuner.errors import InputError
from whisper_tuner.model.languages import LANGUAGES

N_POSITIONS = 1500 + 448  # encoder frames + decoder tokens
BYTES_PER_FLOAT32 = 4


@dataclass(frozen=True)
class BaseModel:
    """One published Whisper: the numbers of its config.json that sizes follow from."""

    id: str
    d_model: int
    n_encoder_layers: int
    n_decoder_layers: int
    n_mels: int = 80
    vocab_size: int = 51865

    @property
    def languages(self) -> dict[str, str]:
        """Language codes this base knows; Cantonese came with the 51,866-token vocabulary."""
        return {c: n for c, n in LANGUAGES.items() if c != "yue" or self.vocab_size > 51865}

    @property
    def n_parameters(self) -> int:
        """All weights, the output projection tied to the token embedding counted once."""
        d, mels = self.d_model, self.n_mels
        attention = 4 * d * d + 3 * d  # q, k, v, out; k has no bias
        feed_forward = 8 * d * d + 5 * d
        norm = 2 * d
        encoder = self.n_encoder_layers * (attention + feed_forward + 2 * norm)
        decoder = self.n_decoder_layers * (2 * attention + feed_forward + 3 * norm)
        convolutions = 3 * mels * d + d + 3 * d * d + d
        embeddings = self.vocab_size * d + N_POSITIONS * d
        return encoder + decoder + convolutions + embeddings + 2 * norm

    def n_trainable(self, lora: LoraSettings) -> int:
        """Weights that LoRA trains: each target of shape (out, in) adds rank x (in + out)."""
        n_attentions = self.n_encoder_layers + 2 * self.n_decoder_layers
        n_feed_forwards = self.n_encoder_layers + self.n_decoder_layers
        total = 0
        for module in lora.target_modules:
            is_feed_forward = module in ("fc1", "fc2")
            width = (5 if is_feed_forward else 2) * self.d_model  # in + out
            total += lora.rank * width * (n_feed_forwards if is_feed_forward else n_attentions)
        return total

    def adapter_bytes(self, lora: LoraSettings) -> int:
        """Size of the adapter's weights as saved, in float32."""
        return self.n_trainable(lora) * BYTES_PER_FLOAT32

    def checkpoint_bytes(self, lora: LoraSettings) -> int:
        """Of a checkpoint: the weights, the best so far, and Adam's two moments of each."""
        return 4 * self.adapter_bytes(lora)


BASE_MODELS = {
    model.id: model
    for model in (
        BaseModel("openai/whisper-tiny", 384, 4, 4),
        BaseModel("openai/whisper-base", 512, 6, 6),
        BaseModel("openai/whisper-small", 768, 12, 12),
        BaseModel("openai/whisper-medium", 1024, 24, 24),
        BaseModel("openai/whisper-large-v2", 1280, 32, 32),
        BaseModel("openai/whisper-large-v3", 1280, 32, 32, n_mels=128, vocab_size=51866),
        BaseModel("openai/whisper-large-v3-turbo", 1280, 32, 4, n_mels=128, vocab_size=51866),
    )
}


def base_model(base_id: str) -> BaseModel:
    """The catalogue's entry. Raises InputError: only these ids are ever loaded."""
    if base_id not in BASE_MODELS:
        raise InputError("base_unknown", base=base_id, known=", ".join(BASE_MODELS))
    return BASE_MODELS[base_id]


def check_language(base_id: str, language: str) -> None:
    """Raises InputError when this base has no token for the language."""
    if language not in base_model(base_id).languages:
        raise InputError("language_unknown", language=language, base=base_id)
