# `make run` shows the daemon at work; `make test` installs what the tests need and runs them all.

CARGO   := cargo
LOCKED  := --locked
# Tests start `serve` at stated instants, which a released program cannot do.
TESTING := $(LOCKED) --features test-clock
PYTEST  := target/bed/venv/bin/pytest -q -p no:cacheprovider
NODE    := python3 tests/bed/with_node.py
# Where the demo listens, and when its clock starts: a Tuesday on which London and New York are both at work.
LISTEN  := 127.0.0.1:8321
AT      := 2026-11-24T13:30:00Z

# How much of the simulation runs, from which seed, over how many days at most, how many requests come in an hour, and
# which of its runs: `whole` is the one with all seats of the sample roster.
EVENTS  := 1000000
SEED    := 1
DAYS    := 365
HOURLY  := 25
ONLY    := keep
SIMULATED := $(CARGO) nextest run $(TESTING),planted --cargo-profile simulation

# The fault campaign: a daemon with known bugs and failpoints in it, by name, and the row to run up to its floor.
CAMPAIGN := $(LOCKED) --features test-clock,failpoints,planted
ROW      := kill
# `release` for the row `memory`, which is about a million of everything.
BUILT    := debug

# How long each fuzz target runs, in seconds, and which do: all of them when none is named.
FOR      := 600
FUZZED   :=

.PHONY: run build test install lint rust simulation simulate end-to-end faults campaign campaign-build fuzz fuzz-short ops bench clean

run:
	$(CARGO) run $(LOCKED) --release -- demo --speed 60 --at $(AT) --listen $(LISTEN)

build:
	$(CARGO) build $(LOCKED) --release

test: install lint rust simulation fuzz-short end-to-end faults ops
	@echo "all tests passed"

install:
	bash tests/bed/install.sh

lint:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy $(TESTING) --all-targets -- -D warnings
	$(CARGO) clippy $(CAMPAIGN) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --no-deps --document-private-items

rust:
	$(NODE) $(CARGO) nextest run $(TESTING)
	$(CARGO) test $(TESTING) --doc
	$(CARGO) test $(TESTING) --bench calendar --bench engine

simulation:
	EVENTS=$(EVENTS) SEED=$(SEED) $(SIMULATED) --test simulation --test planted

simulate:
	EVENTS=$(EVENTS) SEED=$(SEED) DAYS=$(DAYS) HOURLY=$(HOURLY) $(SIMULATED) --test simulation --no-capture $(ONLY)

end-to-end:
	$(CARGO) build $(TESTING)
	$(NODE) $(PYTEST) tests/e2e

campaign-build:
	$(CARGO) build $(CAMPAIGN) $(if $(filter release,$(BUILT)),--release)
	install -D target/$(BUILT)/heliograph target/campaign/heliograph

faults: campaign-build
	$(PYTEST) tests/campaign

campaign: campaign-build
	target/bed/venv/bin/python tests/campaign/campaign.py $(ROW)

fuzz-short:
	fuzz/fuzz.sh -runs=5000

fuzz:
	fuzz/fuzz.sh -max_total_time=$(FOR) $(FUZZED)

ops: build
	$(PYTEST) tests/bed tests/ops tests/docs

bench:
	$(CARGO) bench $(LOCKED) --bench calendar --bench engine
	$(NODE) $(CARGO) bench $(LOCKED) --bench relay

clean:
	$(CARGO) clean
