"""Which clips of a Common Voice archive are taken: drawn from all, or the first ones to come.

No sentence of the test is taken for training. `pools`: rows by split; under "" those that
`split.assign` will split.
"""

from itertools import islice

from whisper_tuner.data.cv_archive import Row
from whisper_tuner.data.split import sentence_key

Pools = dict[str, list[Row]]


class Drawn:
    """The first rows of the pools, which are in an order of chance: of a whole archive."""

    def __init__(self, pools: Pools, n_train: int, n_test: int) -> None:
        if "" in pools:
            found = {"": pools[""][: n_train + n_test]}
        else:
            test = pools["test"][:n_test]
            held_out = {sentence_key(row.sentence) for row in test}
            free = (row for row in pools["train"] if sentence_key(row.sentence) not in held_out)
            found = {"train": list(islice(free, n_train)), "test": test}
        self._left = {row.clip: (row, split) for split, rows in found.items() for row in rows}

    def take(self, clip: str) -> tuple[Row, str] | None:
        """The row and the split of a clip that comes by, when it is to be taken."""
        return self._left.pop(clip, None)

    @property
    def is_made(self) -> bool:
        return not self._left

    @property
    def missing(self) -> list[tuple[Row, str]]:
        """What was drawn and did not come."""
        return list(self._left.values())


class FirstToCome:
    """The first clips that come by and are in a pool: of an archive that is being downloaded.

    Of a large language the pools hold a part of the clips only (`common_voice.MAX_POOL`), so even
    these are spread over many speakers.
    """

    missing = ()  # nothing was promised

    def __init__(self, pools: Pools, n_train: int, n_test: int) -> None:
        self._left = {row.clip: (row, split) for split, rows in pools.items() for row in rows}
        self._n_wanted = {"": n_train + n_test, "train": n_train, "test": n_test}
        self._n_left = {split: len(rows) for split, rows in pools.items()}
        self._sentences: dict[str, set[str]] = {"train": set(), "test": set(), "": set()}

    def take(self, clip: str) -> tuple[Row, str] | None:
        found = self._left.pop(clip, None)
        if found is None:
            return None
        row, split = found
        self._n_left[split] -= 1
        key = sentence_key(row.sentence)
        other = {"train": "test", "test": "train"}.get(split)
        if not self._n_wanted[split] or (other and key in self._sentences[other]):
            return None
        self._n_wanted[split] -= 1
        self._sentences[split].add(key)
        return found

    @property
    def is_made(self) -> bool:
        """Whether enough were taken, or no more can come."""
        return not any(self._n_wanted[split] and left for split, left in self._n_left.items())
