#!/usr/bin/env bash
# Everything that only a CUDA device can say, in under nine minutes, from a checkout:
#
#     PYTHON=python3 benchmarks/gpu.sh [DIR]      figures to DIR, or to benchmarks/results
#     benchmarks/gpu.sh --tiny DIR                the same commands with a tiny model, on any CPU
#
# Random weights of the published size: speed and memory do not depend on them, texts and WER would.
# One measurement that fails does not stop the others; the exit status then is 1.
set -uo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
limit_s=530
lengths=(--lengths 6.4)
race=(--random --steps 20 --seed-steps 4 --rounds 3 --clips 160)
precisions=(--precision 8bit 16bit 4bit)
heard=(--random --clips 8 --rounds 1 --no-faster-whisper)
tiny=()
if [ "${1:-}" = --tiny ]; then
  shift
  tiny=(--quick)
  limit_s=3600 # a busy CPU has time
fi
results=${1:-benchmarks/results}
mkdir -p "$results"
name=cpu
if [ ${#tiny[@]} = 0 ]; then
  name=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1 | tr ' ' '-' | tr '[:upper:]' '[:lower:]')
fi
failed=0

measure() { # SECONDS NAME COMMAND...: at most so many seconds, and never past the limit
  local most_s=$1 what=$2 left_s=$((limit_s - SECONDS))
  shift 2
  if [ ${#tiny[@]} -gt 0 ]; then most_s=$left_s; fi
  if [ "$left_s" -le 5 ]; then
    echo "== $what: no time left" >&2
    failed=1
    return
  fi
  echo "== $what (at $SECONDS s)"
  timeout "$((most_s < left_s ? most_s : left_s))" "$python" "$@" "${tiny[@]}" || {
    echo "== $what: failed with $?" >&2
    failed=1
  }
}

measure 200 "training, large-v2" benchmarks/training.py --base openai/whisper-large-v2 \
  "${race[@]}" "${precisions[@]}" "${lengths[@]}" --profile "$results/profile-8bit-$name.txt" \
  --json "$results/training-large-v2-$name.json"
measure 150 "training, turbo" benchmarks/training.py --base openai/whisper-large-v3-turbo \
  "${race[@]}" "${precisions[@]}" "${lengths[@]}" --no-data-check \
  --json "$results/training-turbo-$name.json"
measure 90 "memory of the whole job" benchmarks/cuda_path.py --base openai/whisper-large-v2 \
  --precision 8bit --json "$results/cuda_path-$name.json"
measure 120 "evaluation, timing only" benchmarks/evaluation.py --base openai/whisper-large-v2 \
  "${heard[@]}" --json "$results/evaluation-$name.json"
measure 60 "start-up" benchmarks/startup.py --quick --parts worker \
  --json "$results/startup-$name.json"
echo "== done after $SECONDS s, results in $results"
exit $failed
