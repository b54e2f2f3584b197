# Anneal.  `make help` lists what can be asked for.
#
#   build/anneal        the binary            (CC, -O2)
#   build/asan/         the same sources under AddressSanitizer and UndefinedBehaviorSanitizer, and
#                       the unit tests (every src/**/x_test.c includes its x.c)
#   build/fuzz/         every src/**/x_fuzz.c under clang's libFuzzer
#
# Debian's packages stand in tools/packages.txt; tools/setup installs what is missing (as root) or
# prints the apt line.

SHELL   := /bin/bash
CC      := gcc
VERSION := 0.1.0
PKGS    := libmicrohttpd libcurl sqlite3 libsodium libpng libwebp libarchive freetype2 libcrypto
JOBS    ?= $(shell nproc)
# V=1 shows the commands.
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

ifneq ($(filter-out help doctor deps clean tidy,$(or $(MAKECMDGOALS),all)),)
TESTING := $(if $(filter test test-unit test-whole test-web check-all fuzz format wasm,$(MAKECMDGOALS)),--with test) \
           $(if $(filter test-store,$(MAKECMDGOALS)),--with store) \
           $(if $(filter bench-store,$(MAKECMDGOALS)),--with bench-store)
SETUP   := $(shell tools/setup --quiet $(TESTING) 1>&2 && echo ok)
ifneq ($(SETUP),ok)
$(error packages are missing; see above)
endif
endif

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
# Debian's wslay and jpeg have no .pc file.
PKG_LIBS   := $(shell pkg-config --libs $(PKGS)) -lwslay -ljpeg -lpthread -ldl -lm

WARN   := -Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
          -Wwrite-strings -Wundef -Wno-missing-field-initializers -Wno-unused-parameter -Wno-psabi -Werror
CPPFLAGS := -Isrc -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DANNEAL_VERSION='"$(VERSION)"' \
            -include src/base/banned.h
CFLAGS := -std=c17 -g -fno-omit-frame-pointer -fstack-protector-strong -ffp-contract=off $(WARN)
OPT    := -O2
# Kernels are compiled for each instruction set they dispatch to at run time: name_avx512.c, ...
ISA_avx512 := -O3 -ffp-contract=fast -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprfchw
ISA_avx2   := -O3 -ffp-contract=fast -mavx2 -mfma
LDFLAGS := -Wl,-z,relro -Wl,--as-needed -Wl,-O1

SRC    := $(filter-out %_test.c %_fuzz.c %_bench.c src/base/test.c,$(shell find src -name '*.c' | sort))
LIBSRC := $(filter-out src/bin/%,$(SRC))
BINSRC := $(filter src/bin/%,$(SRC))
TESTS  := $(shell find src -name '*_test.c' | sort)
FUZZ   := $(shell find src -name '*_fuzz.c' | sort)
GEN    := build/gen/migrations.c build/gen/web_assets.c

.PHONY: all run test test-programs test-unit test-whole test-store test-web check-all tidy format fuzz bench bench-engine bench-store doctor web wasm install clean deps help
# With the web app inside; `make build/anneal` takes what stands in build/web.
all:
	tools/build-web
	@$(MAKE) --no-print-directory build/anneal

help:
	@grep -E '^#  ' Makefile | sed 's/^#  //'; echo; \
	echo 'make            build/anneal, with the web app inside'; \
	echo 'make run        build, start the product, print the link'; \
	echo 'make test       unit tests under sanitizers and whole-program tests'; \
	echo 'make test-web   components and journeys in Chromium; build/screenshots'; \
	echo 'make test-store real S3 clients and the crash tests against the object store'; \
	echo 'make check-all  the slow suites too: crash, fuzz for 60 s each, golden'; \
	echo 'make tidy       layers, lengths, banned calls'; \
	echo 'make format     clang-format over src'; \
	echo 'make fuzz       every fuzzer for FUZZ_SECONDS (60)'; \
	echo 'make bench      benchmarks of every part'; \
	echo 'make bench-engine  the training engine against PyTorch and ONNX Runtime'; \
	echo 'make bench-store   the object store against nginx and the disk'; \
	echo 'make web        the web app into build/web'; \
	echo 'make wasm       the engine for browsers: build/wasm/anneal.wasm'; \
	echo 'make install    PREFIX (/usr/local), DESTDIR'; \
	echo 'make doctor     what this machine lacks'

isa = $(if $(filter %_avx512.c,$<),$(ISA_avx512),$(if $(filter %_avx2.c,$<),$(ISA_avx2),$(OPT)))

# ---- product
build/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) $(isa) -MMD -MP -c $< -o $@
build/obj/build/gen/%.o: build/gen/%.c
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(OPT) -MMD -MP -c $< -o $@
build/libanneal.a: $(LIBSRC:%.c=build/obj/%.o) $(GEN:%.c=build/obj/%.o)
	@rm -f $@; ar rcs $@ $^
build/anneal: $(BINSRC:%.c=build/obj/%.o) build/libanneal.a
	$(call say,link,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -o $@

build/bench/%: build/obj/bench/%.o build/libanneal.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -o $@

build/gen/migrations.c: tools/gen-migrations $(wildcard src/db/migrations/*.sql)
	@mkdir -p $(@D)
	$(call say,gen,$@)
	$(Q)tools/gen-migrations src/db/migrations > $@
build/gen/web_assets.c: tools/gen-assets $(wildcard build/web/*) $(wildcard build/web/*/*) $(wildcard build/web/*/*/*)
	@mkdir -p $(@D)
	$(call say,gen,$@)
	$(Q)tools/gen-assets build/web > $@

# ---- sanitizer build and unit tests
SAN := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
# GCC 12 gives an instrumented stack frame 32-byte alignment at times, under vectors that need 64
# (its bug 110027): the frames of those files go without, their heap accesses stay checked.
san_isa = $(if $(filter %_avx512.c,$<),--param=asan-stack=0)
build/asan/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) -DANNEAL_TEST $(PKG_CFLAGS) $(CFLAGS) $(isa) $(SAN) $(san_isa) -MMD -MP -c $< -o $@
build/asan/libanneal.a: $(LIBSRC:%.c=build/asan/%.o) $(GEN:%.c=build/asan/%.o)
	@rm -f $@; ar rcs $@ $^
build/asan/anneal: $(BINSRC:%.c=build/asan/%.o) build/asan/libanneal.a
	$(call say,link,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $^ $(PKG_LIBS) -o $@
build/asan/bin/%: build/asan/%.o build/asan/src/base/test.o build/asan/libanneal.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN) $< build/asan/src/base/test.o build/asan/libanneal.a $(PKG_LIBS) -o $@
.DELETE_ON_ERROR:
.PRECIOUS: build/asan/%.o build/obj/%.o build/fuzz/%.o
# One unit test: make unit-src/base/json_test
$(TESTS:%.c=unit-%): unit-%: build/asan/bin/%
	$<

test-unit: $(TESTS:%.c=build/asan/bin/%)
	tools/run-tests build/asan/bin

test-whole: all
	tests/run

test-web: all
	tools/test-web

# Crash tests of the store, then its tests with real clients; CHECK_ALL=1 takes 5 GB files.
test-store: build/anneal $(patsubst %.c,build/asan/bin/%,$(wildcard $(addprefix src/store/,*crash*_test.c *kill*_test.c identity_test.c access_test.c live_test.c)))
	tests/store/run

# The web app first, in a make of its own: the files that go into the binary are listed when it reads
# this file.
test: all
	@$(MAKE) --no-print-directory test-programs
	tools/test

check-all: all
	@$(MAKE) --no-print-directory test-programs $(FUZZ:%.c=build/fuzz/bin/%)
	CHECK_ALL=1 FUZZ_SECONDS=$(FUZZ_SECONDS) tools/test

test-programs: $(TESTS:%.c=build/asan/bin/%)

# ---- fuzzing: clang's libFuzzer; corpora in tests/corpus/NAME
FUZZ_SECONDS ?= 60
FSAN := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
build/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)clang -std=c17 $(CPPFLAGS) -DANNEAL_TEST $(PKG_CFLAGS) $(FSAN) $(isa) -Wno-everything -MMD -MP -c $< -o $@
build/fuzz/libanneal.a: $(LIBSRC:%.c=build/fuzz/%.o) $(GEN:%.c=build/fuzz/%.o)
	@rm -f $@; ar rcs $@ $^
build/fuzz/bin/%: build/fuzz/%.o build/fuzz/libanneal.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined $< build/fuzz/libanneal.a $(PKG_LIBS) -o $@
fuzz: $(FUZZ:%.c=build/fuzz/bin/%)
	tools/run-fuzz $(FUZZ_SECONDS)

# ---- WebAssembly: the engine's own sources for the browser (wasm/anneal_wasm.h).  What training,
# files and threads need is compiled too and dropped by the linker, as nothing that is exported
# reaches it; an undefined symbol that something does reach fails the link.
WASM_CC     := clang --target=wasm32-wasi
WASM_CFLAGS := -std=c17 -g0 -ffp-contract=off -ffunction-sections -fdata-sections -msimd128 \
               $(filter-out -Wno-psabi,$(WARN)) -Wno-unknown-pragmas
WASM_LDFLAGS := -nostartfiles -Wl,--no-entry -Wl,--gc-sections -Wl,--strip-all -Wl,--import-memory \
                -Wl,--stack-first -Wl,-z,stack-size=524288 -Wl,--initial-memory=2097152
# Left out: what wasm/platform.c stands in for, and decoders, which the browser has.
WASM_NOT := src/base/crc32c.c src/base/err_system.c src/base/hash.c src/base/log.c src/base/map_key.c src/base/test.c \
            src/engine/graph/crew.c src/engine/kernel/portable/kernels_avx% \
            src/engine/%_file.c %_test.c %_fuzz.c %_bench.c
WASM_SRC := $(filter-out $(WASM_NOT),$(sort $(wildcard wasm/*.c src/base/*.c src/spec/*.c \
            $(addprefix src/engine/,format/safetensors.c kernel/portable/*.c graph/*.c model/*.c \
            bundle/*.c feed/frame.c feed/image.c feed/resize.c))) \
            src/os/time_text.c)
wasm_opt = $(if $(findstring /kernel/,$<),-O3,-Os)
build/wasm/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,wasm,$<)
	$(Q)$(WASM_CC) -I. $(CPPFLAGS) $(WASM_CFLAGS) $(wasm_opt) -MMD -MP -c $< -o $@
build/wasm/anneal.wasm: $(WASM_SRC:%.c=build/wasm/obj/%.o)
	$(call say,link,$@)
	$(Q)$(WASM_CC) $(WASM_LDFLAGS) $^ -o $@
	@printf '  %s bytes, %s compressed\n' $$(wc -c <$@) $$(gzip -9 <$@ | wc -c)
# The same entry points on this machine, to compare with (tests/wasm).
build/wasm/native: build/obj/tests/wasm/native.o build/obj/wasm/anneal_wasm.o build/libanneal.a
	@mkdir -p $(@D)
	$(call say,link,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(PKG_LIBS) -o $@
build/obj/wasm/anneal_wasm.o build/obj/tests/wasm/native.o: CPPFLAGS += -I.
wasm: build/wasm/anneal.wasm build/wasm/native

# ---- the rest
tidy:
	tools/tidy
format:
	clang-format -i $(shell find src -name '*.[ch]')
web:
	tools/build-web
run: all
	exec build/anneal serve
bench: build/anneal
	bench/run
# The object store against nginx and the disk: build/bench/store.json; ROWS="..." for some of them.
bench-store: build/anneal build/bench/store/load
	bench/store/run.py $(ROWS)
# The engine against PyTorch and ONNX Runtime, row by row; ROWS="..." for some of them.
bench-engine: build/bench/engine/step
	bench/engine/run.py $(ROWS)
doctor deps:
	tools/setup --verbose
	@if [ -x build/anneal ]; then build/anneal doctor; fi
PREFIX ?= /usr/local
install: build/anneal
	install -D -m 755 build/anneal $(DESTDIR)$(PREFIX)/bin/anneal
	build/anneal man > build/anneal.1 && install -D -m 644 build/anneal.1 $(DESTDIR)$(PREFIX)/share/man/man1/anneal.1
	build/anneal completion bash > build/anneal.bash && \
	install -D -m 644 build/anneal.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/anneal
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
