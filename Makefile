# MiniVmm: `make run` builds and boots the bundled test kernel, `make test` runs everything.
# Each target installs what it needs on a fresh Debian machine (the .NET 10 SDK it only asks for).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

OUT := out
BINARY := $(OUT)/minivmm
TOOLS := $(OUT)/minivmm-tools
GUESTS := $(OUT)/guests
SOURCES := $(shell find src -name obj -prune -o -name bin -prune -o -type f -print) Directory.Build.props Directory.Packages.props
LIBRARIES := MiniVmm.Host MiniVmm.Kvm MiniVmm MiniVmm.Configuration MiniVmm.Hosting
SAMPLES := add-two-numbers own-device boot-many hosted tiny-vmm
SUITES := MiniVmm.Kvm.Tests MiniVmm.Tests MiniVmm.Site.Tests MiniVmm.Guest.Tests MiniVmm.Lab.Tests

export DOTNET_NOLOGO := 1
export DOTNET_CLI_TELEMETRY_OPTOUT := 1
export DOTNET_GENERATE_ASPNET_CERTIFICATE := 0

.PHONY: build run test check bench demo format clean guests tools pack samples site site-serve

build: $(BINARY) $(TOOLS) guests ## out/minivmm, out/minivmm-tools, and the test kernels in out/guests/

run: $(BINARY) guests ## boot the bundled test kernel
	$(BINARY) run --smp 2 --mem 256M $(GUESTS)/hello.elf

test: build samples ## every suite, Linux in the lab included
	tests/run $(SUITES)

check: build samples ## the suites that need no lab; without a usable /dev/kvm, those that need no KVM
	@if [[ -c /dev/kvm ]] && (exec 3<>/dev/kvm) 2>/dev/null; then tests/run $(filter-out MiniVmm.Lab.Tests,$(SUITES)); \
	else echo 'not run: MiniVmm.Guest.Tests, for want of a usable /dev/kvm; make test runs them in the lab'; \
	  tests/run MiniVmm.Kvm.Tests MiniVmm.Tests MiniVmm.Site.Tests; fi

bench: build ## exits, start-up, memory and many machines, beside a C twin and QEMU
	bench/compare-exits
	bench/compare-exits-by-slope
	bench/compare-start
	bench/many-machines

demo: build ## the recording in the README, anew: docs/demo/demo.cast and demo.svg
	@tests/install-tools tmux asciinema
	docs/demo/record

pack: | tools ## the NuGet packages in out/packages
	rm -rf $(OUT)/packages
	for library in $(LIBRARIES); do dotnet pack src/$$library -c Release -o $(OUT)/packages -v quiet; done

samples: pack ## the programs in samples/, from the packages alone, and lesson 17's, from its page
	@tests/install-tools patch
	rm -rf $(OUT)/samples
	for sample in $(SAMPLES); do dotnet build samples/$$sample -c Release -v quiet; done

site: ## the course and all other pages as a static site in out/site
	@tests/install-tools hugo mandoc
	docs/site/build

site-serve: ## the same, served on http://127.0.0.1:8000/ and built anew whenever a page changes
	@tests/install-tools hugo mandoc
	docs/site/build --serve

format: tools ## put the sources into the project's style
	dotnet format MiniVmm.sln

clean: ## all that make made, but for the lab's downloads
	rm -rf $(BINARY) $(TOOLS) $(GUESTS) $(OUT)/publish $(OUT)/publish-tools $(OUT)/test-results $(OUT)/packages $(OUT)/samples $(OUT)/site $(OUT)/site-work $(OUT)/demo
	find src tests bench docs -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +

$(BINARY): $(SOURCES) | tools
	dotnet publish src/MiniVmm.Cli -c Release -o $(OUT)/publish -v quiet
	install -D -m 755 $(OUT)/publish/MiniVmm.Cli $@

$(TOOLS): $(SOURCES) | tools $(BINARY) # not both at once: they build the same libraries
	dotnet publish src/MiniVmm.Tools -c Release -o $(OUT)/publish-tools -v quiet
	install -D -m 755 $(OUT)/publish-tools/MiniVmm.Tools $@

guests: | tools
	@$(MAKE) --no-print-directory -s -C guest-images OUT=$(abspath $(GUESTS))

tools:
	@tests/install-tools gcc libc6-dev linux-libc-dev binutils zlib1g-dev
