#!/usr/bin/env bash
# Fuzzes what reads bytes from outside: `fuzz/fuzz.sh -max_total_time=SECONDS [TARGET...]`, each target for so long, all by
# default; `-runs=COUNT` tries so many inputs instead, the same ones each time where nothing was found before.
#
# Each starts with its whole corpus. What a run finds anew is kept in fuzz/found/TARGET; an input that breaks a target ends
# the run and is left in fuzz/artifacts/TARGET. The flags of coverage.sh are those of `cargo fuzz run -s none`, so that
# neither cargo-fuzz nor another compiler is needed.
set -euo pipefail
cd "$(dirname "$0")"

limit=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(request update roster http_body store_row)

RUSTC_WRAPPER="$PWD/coverage.sh" cargo build --locked $(printf -- '--bin %s ' "${targets[@]}")
for target in "${targets[@]}"; do
    mkdir -p "found/$target" "artifacts/$target"
    log="artifacts/$target.log"
    # What is found goes into the first folder.
    if ! "target/debug/$target" "found/$target" "corpus/$target" -artifact_prefix="$PWD/artifacts/$target/" -seed=1 \
        "$limit" -max_len=65536 -timeout=20 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 &>"$log"; then
        tail -n 80 "$log" >&2
        echo "fuzzing $target failed; its input:" >&2
        sed -n 's/.*Test unit written to //p' "$log" >&2
        exit 1
    fi
    echo "fuzzing $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs with $limit"
done
