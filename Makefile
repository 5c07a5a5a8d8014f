# `make` alone prints what there is to make. What CI runs is `make check test`, nothing else.

export PATH := $(PATH):$(HOME)/.cargo/bin
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help demo up test check bench bench-parts docs audit fmt clean

help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: ## Start everything, import a file, show what came of it
	@tools/need.sh run
	@$(CARGO) build --release
	@tools/demo.sh

up: ## Run everything in one process, with servers of its own
	@tools/need.sh run
	@$(CARGO) build --release
	@exec $${CARGO_TARGET_DIR:-target}/release/longshore up

test: ## Run all tests, on real servers of their own
	@tools/need.sh test
	$(CARGO) test --workspace --features planted-bugs

check: ## Formatting, lints and documentation, warnings refused
	@tools/need.sh build
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --workspace

bench: ## Longshore against an expert's SQL, on the same Postgres; ROWS=100000 is the short form
	@tools/need.sh run
	$(CARGO) bench --bench against_sql

bench-parts: ## Readers, typing and the encoding for COPY, each against a bare parser; no servers
	@tools/need.sh build
	$(CARGO) bench -p longshore-workers --features bench --bench parts

docs: ## Write docs/errors.md anew from the code
	LONGSHORE_WRITE_DOCS=1 $(CARGO) test --features planted-bugs --test it -- accounting::the_page_of_errors

audit: ## Unused dependencies, licences and advisories; by hand, it needs the network
	$(CARGO) deny check advisories licenses
	$(CARGO) machete

fmt: ## Format the code
	$(CARGO) fmt --all

clean: ## Remove what was built; the data in .longshore stay
	$(CARGO) clean
