# Warnings, sanitizers and hardening, the same for every target of ours.

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla -Wpointer-arith -Wwrite-strings -Wcast-align
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wimplicit-fallthrough -Wnull-dereference
    -Wno-missing-field-initializers # the initializers of libgit2 leave fields out
    -fno-common -fno-strict-aliasing -fvisibility=hidden
    "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wlogical-op -Wduplicated-cond -Wduplicated-branches
        -Wno-format-truncation) # messages are cut on purpose
    # gcc 12 warns of what its own sanitizer instrumentation inserts
    if(CAISSON_SANITIZE)
        add_compile_options(-Wno-null-dereference -Wno-maybe-uninitialized)
    endif()
endif()
if(CMAKE_C_COMPILER_ID STREQUAL Clang)
    # where gcc looks at va_list functions more kindly
    add_compile_options(-Wno-missing-format-attribute -Wno-format-nonliteral)
endif()
if(CAISSON_WERROR)
    add_compile_options(-Werror)
endif()

if(CAISSON_SANITIZE)
    add_compile_options(-fsanitize=${CAISSON_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CAISSON_SANITIZE})
endif()
if(CAISSON_LIBFUZZER)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CAISSON_COVERAGE)
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()

if(CAISSON_CLANG_TIDY)
    find_program(CLANG_TIDY NAMES clang-tidy clang-tidy-19 clang-tidy-16 clang-tidy-14 REQUIRED)
    set(CMAKE_C_CLANG_TIDY "${CLANG_TIDY};--quiet;--warnings-as-errors=*")
endif()

if(CAISSON_STATIC)
    set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
    add_compile_options(
        -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong
        -fno-asynchronous-unwind-tables -fno-unwind-tables "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
elseif(NOT CAISSON_SANITIZE AND NOT CAISSON_COVERAGE)
    add_compile_options(-fstack-protector-strong)
endif()

# caisson_executable(TARGET): a program of ours, linked as the release is when this is a release
function(caisson_executable target)
    if(NOT CAISSON_STATIC)
        return()
    endif()
    target_link_options(${target} PRIVATE
        -static -fPIE -pie -s
        LINKER:--gc-sections LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
    # musl's malloc is an order of magnitude slower; the whole archive, so that all of malloc is replaced
    target_link_libraries(${target} PRIVATE
        -Wl,--whole-archive "${CAISSON_PREFIX}/lib/libmimalloc.a" -Wl,--no-whole-archive)
endfunction()
