# A thin front for CMake and the scripts of tests/. Everything lands in build/ and in the user's cache folder.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-all soak release images pin test-images images-all release-name registry-login publish-image \
	tag-images release-assets dist checksums dev fuzz bench coverage fmt fmt-check tidy lint \
	terraform-check terraform-plan terraform-apply deps-refresh clean

HOST := $(shell uname -m)
ARCH ?= $(HOST)
release_dir := build/release$(if $(filter $(HOST),$(ARCH)),,-$(ARCH))
FUZZ_SECONDS ?= 60
LAYOUTS ?= build/images
NODE_MAJORS ?= 18 20 22 24
# for what unpacks images
as_root := $(if $(filter 0,$(shell id -u)),,sudo -n env "HOME=$$HOME" "PATH=$$PATH")
STRICT ?= 0

export STRICT
export CAISSON := $(CURDIR)/build/release/caisson

help: ## what there is
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' '$(firstword $(MAKEFILE_LIST))'

demo: release ## the main job on an example that ships with the project
	@tests/demo/run

test: release dev ## everything that is quick; installs what it needs
	@cmake --build $(release_dir)
	@tests/run

test-all: release dev ## test, and all that is slow or rare; STRICT=1: a skip is a failure
	@cmake/bootstrap.sh build rare
	@cmake --build $(release_dir)
	@tests/run --all

soak: release ## hours of jobs one after another
	@tests/soak/run
	@tests/soak/run-reporting
	@tests/soak/run-volume

dev: ## build/dev: glibc, sanitizers
	@cmake/bootstrap.sh build
	@cmake --preset dev
	@cmake --build --preset dev

release: ## build/release/caisson, static; ARCH=aarch64 cross-builds into build/release-aarch64
	@cmake/bootstrap.sh build
	@cmake --preset release -B $(release_dir) -DCAISSON_ARCH=$(ARCH)
	@cmake --build $(release_dir) --target caisson
	@ls -l $(release_dir)/caisson

images: release ## the builder images (NAMES='runner node kaniko'), with the buildah, podman or docker that is there
	@builder-images/build $(NAMES)

pin: ## digests of the images that the builder images start from, for a build with PINNED=1
	@tests/tools/ensure-packages skopeo
	@builder-images/pin

images-all: release ## every builder image as a layout in LAYOUTS (build/images), pinned: what a release publishes
	@tests/tools/ensure-packages buildah
	@export LAYOUTS='$(abspath $(LAYOUTS))' PINNED=1; \
		builder-images/build runner kaniko node-full; \
		for major in $(NODE_MAJORS); do NODE_MAJOR=$$major builder-images/build node; done

test-images: release ## the end-to-end tests of the images in LAYOUTS (build/images), with those very images
	@export CAISSON_IMAGES='$(abspath $(LAYOUTS))'; \
		export CAISSON_KANIKO="$$($(as_root) tests/tools/ensure-released-images '$(abspath $(LAYOUTS))' kaniko)/root/kaniko/executor"; \
		tests/e2e/run test_builder_images.py test_container.py test_image.py; \
		for major in $(filter-out 20,$(NODE_MAJORS)); do \
			NODE_MAJOR=$$major tests/e2e/run test_builder_images.py -k a_site_in_the_node_image_alone; done

release-name registry-login publish-image tag-images release-assets: ## the steps of a release: see builder-images/release
	@tests/tools/ensure-packages skopeo >&2
	@builder-images/release $(subst release-,,$(subst publish-,,$(subst registry-,,$(subst tag-images,tags,$@))))

dist: release ## build/dist: the binary with its licences, as a release offers it, and its SBOM
	@cmake/dist.sh $(release_dir)/caisson $(ARCH) build/dist

checksums: ## build/dist/SHA256SUMS of all that lies there
	@cd build/dist && rm -f SHA256SUMS && sha256sum * >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS && cat SHA256SUMS

fuzz: ## each fuzz target for FUZZ_SECONDS (60) with libFuzzer
	@cmake/bootstrap.sh build lint
	@cmake --preset fuzz
	@cmake --build --preset fuzz
	@tests/fuzz/run build/fuzz '$(FUZZ_SECONDS)'

bench: release ## ratios against git, curl, s5cmd and the old builder
	@tests/bench/run

coverage: ## line coverage of the unit tests
	@cmake/bootstrap.sh build coverage
	@cmake --preset coverage
	@cmake --build --preset coverage
	@# children with the build's uid count too; where they cannot, they say so in the output that tests compare
	@find build/coverage -type d -exec chmod a+rwx {} +
	@umask 0; ctest --preset coverage
	@gcovr --root . --filter src/ --print-summary build/coverage

fmt: ## formats src and tests
	@cmake/bootstrap.sh lint
	@find src tests -name '*.[ch]' -not -path '*/fixtures/*' -print0 | xargs -0 -r clang-format -i

fmt-check: ## says what fmt would change
	@cmake/bootstrap.sh lint
	@find src tests -name '*.[ch]' -not -path '*/fixtures/*' -print0 | xargs -0 -r clang-format --dry-run --Werror

tidy: ## clang-tidy over every source
	@cmake/bootstrap.sh build lint
	@cmake --preset tidy
	@cmake --build --preset tidy -- -k 0

lint: ## shellcheck, hadolint, actionlint and zizmor over scripts, Dockerfiles and workflows
	@tests/build/check_lint.sh .

terraform-check: ## terraform fmt, validate and test of every module, tflint, and what its policies mean
	@tests/tools/ensure-go-tool tflint >/dev/null || true
	@tests/terraform/run

terraform-plan: ## the plan of the deployment in the folder DEPLOYMENT, into its file plan
	@terraform -chdir='$(DEPLOYMENT)' init -input=false -lockfile=readonly
	@terraform -chdir='$(DEPLOYMENT)' plan -input=false -lock-timeout=5m -out=plan

terraform-apply: ## applies the file plan of DEPLOYMENT
	@terraform -chdir='$(DEPLOYMENT)' init -input=false -lockfile=readonly
	@terraform -chdir='$(DEPLOYMENT)' apply -input=false -lock-timeout=5m plan

deps-refresh: ## moves cmake/deps/*.lock to the newest versions and says what changed
	@cmake/bootstrap.sh build
	@cmake/deps/refresh

clean: ## removes build/; the libraries stay in the cache
	@rm -rf build
