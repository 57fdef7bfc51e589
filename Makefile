# Everything here works on a machine with Go (see go.mod for its version) and
# gcc; `make e2e` installs the rest of what it needs itself, on Debian.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# One set of flags for build, test and release: each other set would compile
# some 1,500 packages anew.
LDFLAGS  = -X main.version=$(VERSION)

.PHONY: run
run: bin/vedette ## the demo: a simulated GPU cluster, everything in one process
	bin/vedette demo

.PHONY: build
build: bin/vedette bin/vedette-agent

# Go decides what is out of date.
.PHONY: bin/vedette bin/vedette-agent
bin/vedette:
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o $@ ./cmd/vedette

# cgo, for DCGM's library; it is looked for when the agent runs, not when it is built.
bin/vedette-agent:
	CGO_ENABLED=1 $(GO) build -ldflags '$(LDFLAGS)' -o $@ ./cmd/vedette-agent

.PHONY: test
test: lint ## unit and integration tests, the import plan, the doors
	$(GO) test -race -timeout 20m -skip '^TestIncidents$$' ./...
	$(GO) test -run '^TestIncidents$$' ./analyzer/diagnose # in one goroutine: watched for races it would take eight times as long

.PHONY: lint
lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./e2e/...
	$(GO) vet -tags bench ./analyzer/detect ./analyzer/forecast ./analyzer/scale ./nlq/llm ./nlq/investigate
	$(GO) mod tidy -diff

.PHONY: e2e
e2e: build ## the binaries against a real Alertmanager, promtool, Chromium and a small language model
	e2e/install
	e2e/model/install
	$(GO) test -tags e2e -timeout 30m -count 1 ./e2e/...

.PHONY: screenshots
screenshots: build ## the pictures of the README, from a running demo
	e2e/install
	$(GO) test -tags e2e -timeout 20m -count 1 -run TestDemo ./e2e -screenshots $(CURDIR)/docs

.PHONY: bench
bench: ## what the hot paths cost
	$(GO) test -run '^$$' -bench . -benchmem ./analyzer/detect ./analyzer/forecast ./analyzer/backtest ./collector/dcgm ./collector/simulate ./nlq/batch

# They look for series in $VEDETTE_DATA, or in shared beside the repository.
.PHONY: bench-detect
bench-detect: ## the detectors on labelled series (NAB, events, quiet ones), alerts against the rate asked for, faults of GPUs, and what a sample costs
	$(GO) test -tags bench -count 1 -timeout 1h -v -run 'NAB|Events|Volumes|Quiet|Rates|Faults' -bench 'Million|Observe' -benchmem ./analyzer/detect | grep -v -e '^=== ' -e '^--- PASS'

.PHONY: bench-forecast
bench-forecast: ## the forecasts on request rates, an hour and a day ahead from many moments of three days, and on the hourly series of M4
	$(GO) test -tags bench -count 1 -v -run 'M4Hourly|RollingOrigin|DayAhead' ./analyzer/forecast | grep -v -e '^=== ' -e '^--- PASS'

.PHONY: bench-scale
bench-scale: ## pools that follow request rates: what reactive, predictive and clairvoyant scaling cost, and how often they are short
	$(GO) test -tags bench -count 1 -v -run 'Policies' -bench Study -benchmem ./analyzer/scale | grep -v -e '^=== ' -e '^--- PASS'

# The development cases must not be redistributed, so they and their scorer are
# looked for outside the repository.
DATA = $(or $(VEDETTE_DATA),../shared)
.PHONY: bench-diagnose
bench-diagnose: bin/vedette ## what the diagnosis of 1,000 nodes costs, and how often one is right: by group, with its calibration and every miss
	@cd analyzer/diagnose && $(GO) test -count 1 -run TestSpeed -args -speed # here, not by its path: then go test shows what is printed
	@if [ -d $(DATA)/data/rca-dev ]; then \
	  python3 $(DATA)/tools/score_diagnose.py $(DATA)/data/rca-dev --command 'bin/vedette diagnose --snapshot {case} -o json' --jobs 2 --json bin/bench-diagnose.json >/dev/null; \
	else \
	  echo 'left out: the development cases, which are not in $(DATA)/data/rca-dev'; echo '{"cases":[]}' > bin/bench-diagnose.json; \
	fi
	@cd analyzer/diagnose && $(GO) test -count 1 -run TestScoreboard -args -scored $(CURDIR)/bin/bench-diagnose.json

# A quarter of an hour, most of it the 10,000 cycles of the last part. dcgm-exporter
# is built from GitHub, or taken from $EXPORTER or $EXPORTER_SOURCE: see e2e/versus/exporter.
.PHONY: bench-agent
bench-agent: bin/vedette-agent ## the agent beside NVIDIA's dcgm-exporter: processor time and memory of a cycle
	$(GO) test -run '^$$' -bench Look -benchmem ./collector/dcgm
	$(GO) run -tags e2e ./e2e/versus -exporter "$$(e2e/versus/exporter)"

.PHONY: record-exporter
record-exporter: ## the pages of dcgm-exporter that the agent's tests compare with
	$(GO) run -tags e2e ./e2e/versus -exporter "$$(e2e/versus/exporter)" -record cmd/vedette-agent/testdata/exporter

# A minute, and some more for k8sgpt the first time: see e2e/peers/k8sgpt, which
# takes $K8SGPT or $K8SGPT_SOURCE. All of it listens on loopback and ends with it.
.PHONY: bench-peers
bench-peers: bin/vedette ## what we and k8sgpt find in the same broken cluster on a real API server
	@e2e/install kube || { echo 'left out: etcd and the API server, which cannot be built here'; exit 0; }; \
	peer=$$(e2e/peers/k8sgpt); \
	if [ -n "$$peer" ]; then set -- -k8sgpt "$$(realpath "$$peer")"; \
	else echo 'left out: k8sgpt, whose source or modules cannot be had here (K8SGPT or K8SGPT_SOURCE names them)'; set -- -alone; fi; \
	cd e2e && $(GO) test -tags e2e -count 1 -run TestPeers -args "$$@"

.PHONY: bench-nlq
bench-nlq: bin/vedette ## how the development requests fare, where they are at hand
	nlq/batch/bench.sh

# MODEL_URL and MODEL name another model than the small one that is installed, by
# OpenAI's chat completions; EVERY=1 takes all requests and cases, where it is fast.
.PHONY: bench-model
bench-model: bin/vedette ## how a language model alone reads requests and tells diagnoses, and what is refused of it
	e2e/model/bench

.PHONY: clean
clean:
	rm -rf bin
