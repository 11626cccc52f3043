#!/bin/sh
# cargo's RUSTC_WRAPPER: counts what is covered in the daemon, in what parses its input, and in the targets, and in nothing
# else: the rest is built quickly and runs without counting.
case " $* " in
*" --crate-name heliograph "* | *" --crate-name serde_json "* | *" --crate-name toml_parser "* | *" fuzz_targets/"*)
    exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
*) exec "$@" ;;
esac
