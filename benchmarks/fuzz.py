"""Ten thousand hostile archives and recordings, and what people do wrong: does the page survive?

    python benchmarks/fuzz.py --json FILE

Every file is drawn by its number and `--seed`, so any one can be made again. Mutated archives go
through `steps.prepare`, mutated recordings through the decoder, bombs through `steps.prepare` in a
process of their own; tables, defects and leaks are those of `fuzz_parts/`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fuzz_parts import hostile, tables
from benchmarks.fuzz_parts.defects import count_defects, words
from benchmarks.fuzz_parts.hostile import Tally
from benchmarks.fuzz_parts.leaks import count_leaks

N_FILES, N_QUICK = 10_000, 100
N_CLEAN, N_CLEAN_QUICK = 2_000, 200
KINDS = {"archives": "archives", "audio": "sounds"}  # key → what `hostile.give` calls them
PARTS = (*KINDS, "bombs", "tables", "defects")


class Results:
    """What was measured so far, in a file; a later call goes on where this one ended."""

    def __init__(self, path: Path | None, seed: int) -> None:
        self._path, self._seed = path, seed
        known = json.loads(path.read_text()) if path and path.exists() else {}
        self.parts: dict[str, dict] = known.pop("parts", {})
        self._before = known  # figures of parts that are not measured anew

    def tally(self, key: str) -> Tally:
        """Of the files of this kind given with this seed so far."""
        row = self.parts.get(key, {})
        if row.get("seed") != self._seed:
            return Tally()
        return Tally(**{field.name: row[field.name] for field in fields(Tally)})

    def keep(self, key: str, figures: dict) -> None:
        self.parts[key] = {"seed": self._seed, **figures}
        if self._path:
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.figures, indent=1, ensure_ascii=False) + "\n")
            temporary.replace(self._path)

    @property
    def figures(self) -> dict:
        given = {key: self.parts[key] for key in KINDS if key in self.parts}
        total: dict = {key: row["n"] for key, row in given.items()}
        for name in ("escapes", "crashes", "tracebacks", "decoder_faults", "decoder_limits"):
            total[name] = sum(row[name] for row in given.values())
        for key in ("bombs", "tables", "defects"):
            total |= {k: v for k, v in self.parts.get(key, {}).items() if k != "seed"}
        return self._before | total | {"parts": given}


def give(key: str, n: int, seed: int, until_s: float, results: Results) -> None:
    """Files of one kind until there are `n` of them in the results, or it is late."""
    tally = results.tally(key)
    kind = KINDS[key]
    while tally.n < n and time.monotonic() < until_s:
        hostile.give(kind, min(n - tally.n, hostile.BATCH[kind]), seed, tally)
        results.keep(key, asdict(tally))
        print(f"{key}: {tally.n} of {n}, {tally.outcomes}", flush=True)


def of_people(count: Callable[..., dict], n_clean: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        figures = count(Path(folder), words, n_clean=n_clean)
    return {key: value for key, value in figures.items() if not isinstance(value, list)}


def measure(options: argparse.Namespace, results: Results) -> None:
    until_s = time.monotonic() + 60 * options.minutes
    for key in KINDS:
        if key in options.only:
            give(key, getattr(options, key), options.seed, until_s, results)
    if "bombs" in options.only:
        results.keep("bombs", hostile.defuse(options.seed))
    if "tables" in options.only:
        found = tables.run(options.seed)
        results.keep("tables", {k: v for k, v in found.items() if not isinstance(v, list)})
    if "defects" in options.only:
        n_clean = N_CLEAN_QUICK if options.quick else N_CLEAN
        counts = [of_people(count, n_clean) for count in (count_defects, count_leaks)]
        results.keep("defects", counts[0] | counts[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for key in KINDS:
        parser.add_argument(f"--{key}", type=int, default=None, help=f"default: {N_FILES}")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="for the mutated files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK} files of each kind")
    parser.add_argument("--json", type=Path, help="goes on with what is in it of the same seed")
    options = parser.parse_args()
    for key in KINDS:
        if getattr(options, key) is None:
            setattr(options, key, N_QUICK if options.quick else N_FILES)
    results = Results(options.json, options.seed)
    measure(options, results)
    for name, value in results.figures.items():
        if not isinstance(value, dict):
            print(f"{name:28} {value}")
    for name, row in results.parts.get("bombs", {}).get("bomb_rows", {}).items():
        print(f"  {name:28} {row['refused_as']:26} {row['s']:6.2f} s {row['rss_mb']:6.0f} MB")


if __name__ == "__main__":
    main()
