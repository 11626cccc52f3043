#!/usr/bin/env bash
# Fuzzes what reads bytes from outside: `fuzz/fuzz.sh SECONDS [TARGET...]`, each target for so long, all by default.
#
# It builds with the flags that `cargo fuzz run -s none` gives, so that neither cargo-fuzz nor another compiler is needed.
# What a run finds anew is kept in fuzz/found/TARGET; an input that breaks a target is left in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")"

seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(request update roster http_body store_row)
triple=$(rustc -vV | sed -n 's/^host: //p')
coverage="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares"

# With a target of its own, build scripts are built without the flags.
RUSTFLAGS=$(echo $coverage) cargo build --locked --target "$triple" $(printf -- '--bin %s ' "${targets[@]}")
for target in "${targets[@]}"; do
    mkdir -p "found/$target" "artifacts/$target"
    echo "fuzzing $target for $seconds s"
    "target/$triple/debug/$target" "found/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
        -seed=1 -timeout=20 -rss_limit_mb=4096 -max_len=65536 -max_total_time="$seconds" -verbosity=0 -print_final_stats=1
done
