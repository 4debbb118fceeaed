# agi-bridge: what a person or CI runs here. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BUF_VERSION := 1.75.0
DENY_VERSION := 0.20.2
DEB_VERSION := 3.8.0
AUDIT_VERSION := 0.22.2
CYCLONEDX_VERSION := 0.5.9

# Tools are kept outside the tree, one folder a version.
TOOLS := $(or $(AGIBRIDGE_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/agi-bridge-tools)
BUF := $(TOOLS)/buf-$(BUF_VERSION)/node_modules/.bin/buf
DENY := $(TOOLS)/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
AUDIT := $(TOOLS)/cargo-audit-$(AUDIT_VERSION)/bin/cargo-audit
CYCLONEDX := $(TOOLS)/cargo-cyclonedx-$(CYCLONEDX_VERSION)/bin/cargo-cyclonedx
DEB := $(TOOLS)/cargo-deb-$(DEB_VERSION)/bin/cargo-deb

CARGO ?= cargo
FUZZ_SECONDS ?= 30

# The client libraries; each keeps what it fetches and builds in a folder of its own.
LANGUAGES := python typescript go java rust

.PHONY: help
help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## a whole call on the terminal: bridge, service and simulated caller
	$(CARGO) run --quiet -- demo

.PHONY: test
test: ## all tests: the bridge, the five client libraries, a real Asterisk (Debian, root)
	@scripts/check-test-host.sh
	$(MAKE) lab
	$(MAKE) clients
	$(MAKE) kube
	$(CARGO) test --workspace --features lab,clients

.PHONY: lab
lab: ## a real Asterisk for the tests, in a cached folder (Debian, root)
	@scripts/check-test-host.sh
	tests/asterisk/setup.sh

.PHONY: clients
clients: $(LANGUAGES:%=client-%) ## the client libraries: their tests, their packages, the programs that tests drive

.PHONY: $(LANGUAGES:%=client-%)
$(LANGUAGES:%=client-%): client-%:
	$(MAKE) -C clients/$* test programs

# As the scripts in tests/ have it.
LAB := $(or $(AGIBRIDGE_LAB),$(HOME)/.cache/agi-bridge-lab)

.PHONY: kube
kube: lab kube-tools $(DEB) ## image, pods, Debian package, and the chart before a real kube-apiserver (Debian, root)
	$(MAKE) -C clients/python programs
	tests/deploy/images.sh
	tests/deploy/package.sh
	tests/deploy/compose.sh
	CARGO_DEB=$(DEB) $(LAB)/kubernetes/python/bin/python -m pytest -q -p no:cacheprovider tests/deploy $(PYTEST_ARGS)

.PHONY: kube-tools
kube-tools: ## helm, kubectl, kube-apiserver and etcd for `make kube`, in a cached folder
	tests/deploy/tools.sh

IMAGE ?= agi-bridge:latest

.PHONY: image
image: ## the image, by buildah: IMAGE=NAME:TAG, into this user's container storage
	deploy/docker/image.sh $(IMAGE)

PACKAGE ?= target/debian/

.PHONY: deb
deb: $(DEB) ## the Debian package: PACKAGE=FILE, or the folder for it
	deploy/debian/deb.sh $(DEB) $(PACKAGE)

.PHONY: bench
bench: clients-bench ## ratios against the floors (BENCH_ARGS=--json for machines)
	$(CARGO) bench --bench hop -- $(BENCH_ARGS)

.PHONY: fuzz
fuzz: ## what reads strangers' bytes, FUZZ_SECONDS each (30); nightly Rust and cargo-fuzz
	scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: check
check: fmt clippy fuzz-check doc proto deny audit sbom check-clients ## everything that reads the code without running it

.PHONY: clients-bench
clients-bench: $(LANGUAGES:%=bench-%) ## the programs of other languages that `make bench` measures

.PHONY: $(LANGUAGES:%=bench-%)
$(LANGUAGES:%=bench-%): bench-%:
	$(MAKE) -C clients/$* bench

.PHONY: check-clients
check-clients: $(LANGUAGES:%=check-%) ## format, lints, types and stubs of the client libraries

.PHONY: $(LANGUAGES:%=check-%)
$(LANGUAGES:%=check-%): check-%:
	$(MAKE) -C clients/$* check

.PHONY: fmt
fmt: ## formatting
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: ## lints, warnings as errors
	$(CARGO) clippy --workspace --all-targets --all-features --locked -- -D warnings

.PHONY: fuzz-check
fuzz-check: ## that the fuzz targets still compile
	$(CARGO) check --quiet --locked --manifest-path fuzz/Cargo.toml

.PHONY: doc
doc: ## documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --all-features --no-deps --document-private-items --locked

.PHONY: proto
proto: $(BUF) ## the contract: lint, and nothing broken since PROTO_BASE
	scripts/check-proto.sh $(BUF)

.PHONY: deny
deny: $(DENY) ## dependencies: licences, sources, bans, advisories
	scripts/check-deny.sh $(DENY)

.PHONY: audit
audit: $(AUDIT) ## advisories for every lock file, those that no program is built from too
	scripts/check-audit.sh $(AUDIT)

SBOM ?= target/agi-bridge.cdx.json

.PHONY: sbom
sbom: $(CYCLONEDX) ## what is in the program, as CycloneDX: SBOM=FILE
	scripts/sbom.sh $(CYCLONEDX) $(SBOM)

# The package of npm carries the program itself, so nothing else is downloaded.
$(BUF):
	npm install --prefix $(TOOLS)/buf-$(BUF_VERSION) --ignore-scripts --no-fund --no-audit --loglevel=error \
		@bufbuild/buf@$(BUF_VERSION) </dev/null
	test -x $@

# Of cargo-deny-0.20.2/bin/cargo-deny, the name and the version.
$(AUDIT) $(CYCLONEDX) $(DEB) $(DENY):
	CARGO_TARGET_DIR=$(TOOLS)/build $(CARGO) install --quiet --locked --root $(@:/bin/$(@F)=) \
		--version $(lastword $(subst $(@F)-, ,$(@:/bin/$(@F)=))) $(@F) </dev/null
	rm -rf $(TOOLS)/build
