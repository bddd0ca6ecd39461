# `make help` prints the targets with the comments after them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# The newest Go that the module proxy serves, whichever is installed. GOTOOLCHAIN=local uses the installed one.
GOTOOLCHAIN ?= go1.27.3
export GOTOOLCHAIN
TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS):$(PATH)
# The Go modules of this repository, except distro/, tools/ and release/.
MODULES := . testkit cmd/difydemo tests

# The project's version, and with the commit that a binary is built from.
RELEASE := $(shell sed -n 's/^  version: *\([^ ]*\).*/\1/p' builder-config.yaml)
COMMIT := $(shell git describe --always --dirty --exclude '*' 2>/dev/null)
VERSION ?= $(RELEASE)$(addprefix +,$(COMMIT))
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# timetzdata: the image has no time zone data, and MySQL may use a named time zone.
GO_BUILD := CGO_ENABLED=0 $(GO) build -trimpath -tags timetzdata -gcflags=all=-dwarf=false
# The same flags, so that the standard library is compiled once.
RUN_TOOL := CGO_ENABLED=0 $(GO) -C tools run -trimpath -tags timetzdata -gcflags=all=-dwarf=false

# The sources of Go package trees, so that nothing is linked again without need.
go_files = $(shell find $(1) \( -name '*.go' -o -name go.mod -o -name go.sum \) -not -name '*_test.go' 2>/dev/null) go.mod go.sum

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: bin/otelcol-dify bin/difydemo ## Run the whole pipeline on simulated Dify traffic; DURATION=20s ends it automatically, OUTAGE=10s lets the back ends fail
	@bin/difydemo --collector bin/otelcol-dify --config config/demo.yaml $(if $(DURATION),--duration $(DURATION)) $(if $(OUTAGE),--outage $(OUTAGE))

.PHONY: build
build: bin/otelcol-dify bin/difyctl ## Build bin/otelcol-dify and its companion bin/difyctl

.PHONY: FORCE
FORCE:

# The version changes with each commit. It replaces the one in distro/main.go for this build only.
.cache/version: FORCE
	@mkdir -p .cache
	@[ "$$(cat $@ 2>/dev/null)" = "$(VERSION)" ] || echo "$(VERSION)" > $@

# Adapted copies of two stock exporters. distro/ and tests/ replace the modules by folders in this folder.
EXPORTER := .cache/make-exporter
$(EXPORTER)/.written: $(wildcard tools/adaptexporter/*.go tools/adaptexporter/added/*/*)
	@$(RUN_TOOL) ./adaptexporter -out "$(CURDIR)/$(EXPORTER)"
	@touch $@

.PHONY: exporter
exporter: $(EXPORTER)/.written ## Write the adapted copies of stock modules that distro/ and tests/ need

.PHONY: check-exporter
check-exporter: ## Fail if a version of the OpenSearch exporter is served that needs no adaptation
	@$(RUN_TOOL) ./adaptexporter -check $(call pin,$(CONTRIB)/exporter/prometheusexporter,builder-config.yaml)

bin/otelcol-dify: $(call go_files,components) $(wildcard distro/*) $(EXPORTER)/.written .cache/version
	@sed 's/Version: *"[^"]*"/Version: "$(VERSION)"/' distro/main.go > .cache/main.go
	@printf '{"Replace":{"%s/distro/main.go":"%s/.cache/main.go"}}\n' "$(CURDIR)" "$(CURDIR)" > .cache/overlay.json
	@echo "building $@ $(VERSION) (the first time takes a few minutes)"
	@cd distro && $(GO_BUILD) -overlay "$(CURDIR)/.cache/overlay.json" -ldflags '-s -w' -o "$(CURDIR)/$@" .

bin/difydemo: $(call go_files,cmd/difydemo testkit)
	@cd cmd/difydemo && $(GO_BUILD) -o "$(CURDIR)/$@" .

bin/difyctl: $(call go_files,cmd/difyctl doctor components)
	@$(GO_BUILD) -ldflags '-s -w' -o $@ ./cmd/difyctl

$(TOOLS)/.installed: tools/go.mod tools/go.sum
	@echo "building the tools of tools/go.mod (the first time takes a few minutes)"
	@GOBIN=$(TOOLS) $(GO) -C tools install tool
	@touch $@

.PHONY: setup
setup: $(TOOLS)/.installed ## Install what the tests need: servers, Python packages, tools
	@tests/setup.sh

.PHONY: test
test: setup build lint ## Run every test: unit tests with the race detector, then the built binary against real servers
	gotestsum --format pkgname-and-test-fails -- -race -timeout 25m ./components/... ./doctor/... ./cmd/difyctl/...
	@for module in tools release testkit cmd/difydemo; do \
		(cd $$module && gotestsum --format pkgname-and-test-fails -- -race -timeout 15m ./...) || exit 1; \
	done
	@# Go does not see that a file outside of the module, or the binary, has changed, so cached results are not used.
	cd tests && gotestsum --format testname -- -count=1 -timeout 30m ./...

.PHONY: soak
soak: soak-suite setup build $(TOOLS)/.installed ## Run the tests of the built binary with their fault schedules in full; SUITE=sentry runs only one suite
	@tests/soak.sh $(SUITE)

.PHONY: soak-suite
soak-suite:
	@tests/soak.sh --check "$(SUITE)"

.PHONY: lint
lint: $(TOOLS)/.installed $(EXPORTER)/.written ## Run the linters
	@for module in $(MODULES) tools release; do \
		echo "golangci-lint $$module"; (cd $$module && golangci-lint run --config "$(CURDIR)/.golangci.yml" ./...) || exit 1; \
	done

# What govulncheck reads: each module's source with its tests, and the binaries with their symbols, which show what is
# linked. The collector is built from distro/.
VULNCHECK := otelcol-dify difydemo difyctl

.PHONY: vulncheck
vulncheck: $(TOOLS)/.installed $(EXPORTER)/.written ## Fail on a known vulnerability that is reachable and not in tools/vulncheck/accepted.yaml
	@echo "building $(VULNCHECK) with symbols"
	@cd distro && $(GO_BUILD) -o "$(CURDIR)/.cache/vulncheck/otelcol-dify" .
	@cd cmd/difydemo && $(GO_BUILD) -o "$(CURDIR)/.cache/vulncheck/difydemo" .
	@$(GO_BUILD) -o .cache/vulncheck/ ./cmd/difyctl
	@$(RUN_TOOL) ./vulncheck -root "$(CURDIR)" $(MODULES) tools release $(addprefix .cache/vulncheck/,$(VULNCHECK))

CHART_FILES := charts/otelcol-dify/files

.PHONY: generate
generate: $(TOOLS)/.installed ## Write generated files: distro/, those of each metadata.yaml, dashboards, Alertmanager's part of docker-compose.yaml, the chart's copies of config/
	$(GO) generate ./components/...
	@tests/setup.sh python
	.cache/python/bin/python config/grafana/dashboards.py
	builder --config builder-config.yaml --skip-compilation
	sed -i '/^    content: |$$/q' docker-compose.yaml
	sed 's/^./      &/' config/alertmanager/alertmanager.yaml >> docker-compose.yaml
	@$(MAKE) --no-print-directory chart-files

# Helm reads no file outside of a chart.
.PHONY: chart-files
chart-files:
	rm -rf $(CHART_FILES)
	mkdir -p $(CHART_FILES)/{overlays,scale,rules,dashboards}
	cp config/collector.yaml $(CHART_FILES)
	cp config/overlays/auth.yaml $(CHART_FILES)/overlays
	cp config/scale/*.{yaml,sh} $(CHART_FILES)/scale
	cp config/prometheus/rules/*.yaml $(CHART_FILES)/rules
	cp config/grafana/dashboards/*.json $(CHART_FILES)/dashboards

.PHONY: bench
bench: setup build ## Run the benchmarks: ratios against a peer in the same run
	$(GO) test -run '^$$' -bench . -benchmem -timeout 2h ./components/...
	cd tests && $(GO) test -run '^$$' -bench . -benchmem -timeout 2h ./...

# The certificate authorities that the image trusts.
CA_BUNDLE ?= /etc/ssl/certs/ca-certificates.crt

.PHONY: image
image: bin/otelcol-dify bin/difyctl ## Build the container image for docker-compose.yaml from the built binary (on Linux)
	@[ "$$($(GO) env GOOS)" = linux ] || { echo "make image takes the binary of a Linux host; elsewhere: docker compose --profile collector build" >&2; exit 1; }
	@mkdir -p bin/storage
	@cmp -s "$(CA_BUNDLE)" bin/ca-certificates.crt || cp "$(CA_BUNDLE)" bin/ca-certificates.crt
	DOCKER_BUILDKIT=0 docker build --build-arg VERSION="$(VERSION)" --build-arg REVISION="$(REVISION)" \
		-t otelcol-dify:latest -t "otelcol-dify:$(RELEASE)" .

# What a release has binaries of; release/ makes packages and images of the first two.
PLATFORMS := linux-amd64 linux-arm64 darwin-arm64

.PHONY: release
release: $(EXPORTER)/.written ## Build everything of a release into dist/: make release VERSION=1.2.3
	@[[ "$(VERSION)" =~ ^[0-9]+\.[0-9]+\.[0-9]+$$ ]] || { echo "which version? make release VERSION=1.2.3" >&2; exit 1; }
	@rm -rf dist
	@mkdir -p .cache/release
	@sed 's/Version: *"[^"]*"/Version: "$(VERSION)+$(COMMIT)"/' distro/main.go > .cache/release/main.go
	@printf '{"Replace":{"%s/distro/main.go":"%s/.cache/release/main.go"}}\n' "$(CURDIR)" "$(CURDIR)" > .cache/release/overlay.json
	@for platform in $(PLATFORMS); do \
		echo "building $(VERSION) for $$platform (a few minutes)"; \
		export GOOS=$${platform%-*} GOARCH=$${platform#*-} out="$(CURDIR)/.cache/release/$$platform"; \
		$(GO_BUILD) -ldflags '-s -w' -o "$$out/difyctl" ./cmd/difyctl && \
		(cd distro && $(GO_BUILD) -overlay "$(CURDIR)/.cache/release/overlay.json" -ldflags '-s -w' -o "$$out/otelcol-dify" .) || exit 1; \
	done
	@$(GO) -C release run . -version "$(VERSION)" -revision "$(REVISION)" -ca-bundle "$(CA_BUNDLE)" -binaries "$(CURDIR)/.cache/release" \
		-date "$$(git log -1 --format=%ct)" -out "$(CURDIR)/dist"
	@ls -l dist

CONTRIB := github.com/open-telemetry/opentelemetry-collector-contrib

# The version of a module in a file.
pin = $(shell sed -n 's,.* $(1) \(v[0-9.]*\),\1,p' $(2) | head -n 1)

.PHONY: upgrade
upgrade: ## Make every go.mod file, tests/ocb, the documents and distro/ follow the versions in builder-config.yaml
	@$(RUN_TOOL) ./upgrade -root "$(CURDIR)"
	@$(MAKE) --no-print-directory generate

.PHONY: clean
clean: ## Remove build results: bin, tools, caches in this folder
	rm -rf bin .tools .cache .demo
