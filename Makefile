# The two commands a newcomer needs, and what they stand on.

CARGO ?= cargo
DATA_DIR ?= ./dialplane-data

.PHONY: help run test deps tools

help:
	@echo 'make run    build the switch and start it with demo phones (DATA_DIR=$(DATA_DIR))'
	@echo 'make test   every check, as in CI'
	@echo 'make deps   sipp, baresip and PostgreSQL from Debian, for the tests that want them'

# Optimised, but built in a fraction of the time that a release takes.
run: tools
	$(CARGO) run --profile quick --package dialplane -- demo --data-dir $(DATA_DIR)

test: deps
	$(CARGO) xtask ci

# libopus is built with cmake. Installed where that is allowed; else it is said what is missing.
tools:
	@command -v cmake >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && { apt-get install -y cmake || { apt-get update && apt-get install -y cmake; }; } >/dev/null 2>&1; } \
		|| echo 'cmake is missing, libopus is built with it (Debian: apt-get install cmake)' >&2

# Installs when it may; else says what is missing, and the tests say what they leave out.
deps: tools
	@$(CARGO) xtask deps
