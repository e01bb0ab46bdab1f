# The two commands a newcomer needs, and what they stand on.

CARGO ?= cargo
DATA_DIR ?= ./dialplane-data

.PHONY: help run test deps

help:
	@echo 'make run    build the switch and start it with demo phones (DATA_DIR=$(DATA_DIR))'
	@echo 'make test   every check, as in CI'
	@echo 'make deps   sipp, baresip and PostgreSQL from Debian, for the tests that want them'

# Optimised, but built in a fraction of the time that a release takes.
run:
	$(CARGO) run --profile quick --package dialplane -- demo --data-dir $(DATA_DIR)

test: deps
	$(CARGO) xtask ci

# Installs when it may; else says what is missing, and the tests say what they leave out.
deps:
	@command -v cmake >/dev/null || apt-get install -y cmake >/dev/null 2>&1 || echo 'cmake is missing: libopus needs it'
	@$(CARGO) xtask deps
