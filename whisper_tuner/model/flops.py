"""How much arithmetic Whisper needs, counted from its shapes. No torch.

One multiply-add is two operations (FLOP). Matrix products, convolutions and attention are counted,
element-wise work is not: it is under 1 % of the sum. Symbols, as in the papers (Whisper, arXiv
2212.04356; LoRA, arXiv 2106.09685): d = width of the model, n = encoder positions (50 a second),
T = tokens that the decoder reads. What the speech window reads of the silence behind it is not
counted: a small part.
"""

from whisper_tuner.config import LoraSettings
from whisper_tuner.model.catalogue import BaseModel

MAC = 2  # FLOP of one multiply-add


def encoder_flops(base: BaseModel, n_positions: int) -> float:
    """FLOP of the encoder's forward pass for one clip of `n_positions`."""
    return (
        _convolutions(base, n_positions)
        + _encoder_linears(base, n_positions)
        + _encoder_attention(base, n_positions)
    )


def decoder_flops(base: BaseModel, n_positions: int, n_tokens: int) -> float:
    """FLOP of the decoder's forward pass over all tokens at once, as in training."""
    return (
        _cross_keys_and_values(base, n_positions)
        + _decoder_linears(base, n_tokens)
        + _decoder_attention(base, n_positions, n_tokens)
        + _output_projection(base, n_tokens)
    )


def forward_flops(base: BaseModel, n_positions: int, n_tokens: int) -> float:
    """FLOP of encoder and decoder, forward, for one clip, without an adapter."""
    return encoder_flops(base, n_positions) + decoder_flops(base, n_positions, n_tokens)


def training_flops(
    base: BaseModel,
    n_positions: int,
    n_tokens: int,
    lora: LoraSettings,
    checkpointing: bool = False,
) -> float:
    """FLOP of learning from one clip: forward and backward, with LoRA in encoder and decoder.

    Backward, a frozen linear costs one product (the gradient of its input, none of its weights),
    attention and LoRA two, the convolutions nothing. Checkpointing runs the layers forward again.
    """
    linears = (
        _encoder_linears(base, n_positions)
        + _cross_keys_and_values(base, n_positions)
        + _decoder_linears(base, n_tokens)
    )
    twice = (
        _encoder_attention(base, n_positions)
        + _decoder_attention(base, n_positions, n_tokens)
        + _adapter(base, n_positions, n_tokens, lora)
    )
    head = _output_projection(base, n_tokens)
    forward = _convolutions(base, n_positions) + linears + twice + head
    backward = linears + 2 * twice + head
    again = linears + twice if checkpointing else 0.0
    return forward + backward + again


# --- the parts


def _convolutions(base: BaseModel, n: int) -> float:
    """Two of width 3: the first at 2n log-mel frames, the second halves them to n positions."""
    d = base.d_model
    return MAC * (2 * n * 3 * base.n_mels * d + n * 3 * d * d)


def _encoder_linears(base: BaseModel, n: int) -> float:
    """A layer's weights: 4 d² of attention, 8 d² of feed-forward."""
    return MAC * base.n_encoder_layers * 12 * n * base.d_model**2


def _encoder_attention(base: BaseModel, n: int) -> float:
    """Scores and weighted sum, n x n x d each."""
    return MAC * base.n_encoder_layers * 2 * n * n * base.d_model


def _cross_keys_and_values(base: BaseModel, n: int) -> float:
    """Every decoder layer projects the encoder's output twice."""
    return MAC * base.n_decoder_layers * 2 * n * base.d_model**2


def _decoder_linears(base: BaseModel, n_tokens: int) -> float:
    """A layer's weights: 4 d² of self-attention, 2 d² of cross-attention, 8 d² of feed-forward."""
    return MAC * base.n_decoder_layers * 14 * n_tokens * base.d_model**2


def _decoder_attention(base: BaseModel, n: int, n_tokens: int) -> float:
    """Among the tokens, and from the tokens to the encoder's positions."""
    return MAC * base.n_decoder_layers * 2 * n_tokens * (n_tokens + n) * base.d_model


def _output_projection(base: BaseModel, n_tokens: int) -> float:
    return MAC * n_tokens * base.d_model * base.vocab_size


def _adapter(base: BaseModel, n: int, n_tokens: int, lora: LoraSettings) -> float:
    """Every target of shape (out, in) costs rank x (in + out) multiply-adds a row.

    Rows: n in the encoder and in the cross-attention's k and v, the tokens elsewhere.
    """
    total = 0
    for module in lora.target_modules:
        is_feed_forward = module in ("fc1", "fc2")
        width = (5 if is_feed_forward else 2) * base.d_model  # in + out
        cross_rows = n if module in ("k_proj", "v_proj") else n_tokens
        decoder_rows = n_tokens + (0 if is_feed_forward else cross_rows)
        rows = base.n_encoder_layers * n + base.n_decoder_layers * decoder_rows
        total += lora.rank * width * rows
    return float(MAC * total)
