"""Read a CTranslate2 Whisper `model.bin` and name its arrays as transformers does.

Nothing is computed: projections that CTranslate2 stacks are cut apart, every number stays as it is.
Knows names and bytes; no torch, no transformers, no ctranslate2.
"""

import struct
from pathlib import Path

import numpy as np

# CTranslate2 name inside a layer -> the transformers modules whose rows are stacked in it.
LAYER_MODULES = {
    "self_attention/layer_norm": ("self_attn_layer_norm",),
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": ("self_attn.out_proj",),
    "attention/layer_norm": ("encoder_attn_layer_norm",),
    "attention/linear_0": ("encoder_attn.q_proj",),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": ("encoder_attn.out_proj",),
    "ffn/layer_norm": ("final_layer_norm",),
    "ffn/linear_0": ("fc1",),
    "ffn/linear_1": ("fc2",),
}
MODULES = {"embeddings": "embed_tokens", "position_encodings": "embed_positions"}
PARAMETERS = {"gamma": "weight", "beta": "bias", "encodings": "weight"}
BINARY_VERSION = 6
DTYPES = ("<f4", "<i1", "<i2", "<i4", "<f2")  # by type byte


def read_variables(model_bin: Path) -> dict[str, np.ndarray]:
    """Name -> array of a CTranslate2 `model.bin` (binary version 6), mapped, not read into memory.

    Layout: model_spec.py of ctranslate2 4.8, `ModelSpec.save` (little-endian).
    """
    raw = np.memmap(model_bin, dtype=np.uint8, mode="r")
    offset = 0

    def number(code: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from(f"<{code}", raw, offset)
        offset += struct.calcsize(code)
        return value

    def string() -> str:
        nonlocal offset
        length = number("H")  # counts the trailing NUL
        offset += length
        return raw[offset - length : offset - 1].tobytes().decode()

    if number("I") != BINARY_VERSION:
        raise ValueError(f"{model_bin} is not of CTranslate2 binary version {BINARY_VERSION}")
    string(), number("I")  # the name of the spec and its revision
    variables = {}
    for _ in range(number("I")):
        name = string()
        shape = tuple(number("I") for _ in range(number("B")))
        dtype = np.dtype(DTYPES[number("B")])
        n_bytes = number("I")
        variables[name] = raw[offset : offset + n_bytes].view(dtype).reshape(shape)
        offset += n_bytes
    return variables


def to_transformers(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays under the names of `WhisperForConditionalGeneration`; flags are left out.

    Stacked projections, shape = (n × d_model, d_model), are cut into n of (d_model, d_model).
    `proj_out` is tied to `embed_tokens` and therefore not stored.
    """
    tensors = {}
    for name, array in variables.items():
        if array.ndim == 0:
            continue
        side, *middle, parameter = name.split("/")
        parameter = PARAMETERS.get(parameter, parameter)
        if middle[0].startswith("layer_") and middle[0] != "layer_norm":
            prefix = f"model.{side}.layers.{middle[0].removeprefix('layer_')}."
            modules = LAYER_MODULES["/".join(middle[1:])]
        else:
            prefix = f"model.{side}."
            modules = (MODULES.get(middle[0], middle[0]),)
        for module, rows in zip(modules, np.split(array, len(modules)), strict=True):
            # CTranslate2 stacks zeros for the keys, which have no bias in Whisper.
            if not (module.endswith("k_proj") and parameter == "bias"):
                tensors[f"{prefix}{module}.{parameter}"] = rows
    return tensors
