# The third-party libraries, from the cached prefix that cmake/deps/prefix builds. Each is an imported target dep::NAME
# with a header folder of its own, so that a target sees the libraries it was given and no others.

if(CAISSON_STATIC)
    set(_libc musl)
    set(_arch "${CAISSON_ARCH}")
else()
    set(_libc glibc)
    set(_arch "${CMAKE_HOST_SYSTEM_PROCESSOR}")
endif()

execute_process(
    COMMAND "${CMAKE_SOURCE_DIR}/cmake/deps/prefix" ${_libc} ${_arch}
    OUTPUT_VARIABLE CAISSON_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "Libraries: ${CAISSON_PREFIX}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    cmake/deps/prefix cmake/deps/common.sh cmake/deps/zig cmake/deps/sources.lock cmake/deps/zig.lock)

find_package(Threads REQUIRED)

# dependency(NAME LIBRARY... [NEEDS NAME...])
function(dependency name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "NEEDS")
    add_library(dep_${name} INTERFACE)
    add_library(dep::${name} ALIAS dep_${name})
    target_include_directories(dep_${name} SYSTEM INTERFACE "${CAISSON_PREFIX}/headers/${name}")
    # a target each, not a path: only so CMake knows what must stand after what on the link line
    foreach(lib IN LISTS ARG_UNPARSED_ARGUMENTS)
        add_library(dep_lib_${lib} STATIC IMPORTED GLOBAL)
        set_target_properties(dep_lib_${lib} PROPERTIES IMPORTED_LOCATION "${CAISSON_PREFIX}/lib/lib${lib}.a")
        foreach(need IN LISTS ARG_NEEDS)
            # linked after it, but its headers stay hidden
            target_link_libraries(dep_lib_${lib} INTERFACE "$<LINK_ONLY:dep::${need}>")
        endforeach()
        if(before)
            target_link_libraries(dep_lib_${before} INTERFACE dep_lib_${lib})
        endif()
        set(before ${lib})
        target_link_libraries(dep_${name} INTERFACE dep_lib_${lib})
    endforeach()
    target_link_libraries(dep_${name} INTERFACE Threads::Threads)
endfunction()

dependency(zlib z)
dependency(brotli brotlidec)
dependency(zstd zstd)
dependency(crypto ssl crypto)
dependency(jansson jansson)
dependency(yaml yaml)
dependency(curl curl NEEDS crypto zlib)
dependency(git2 git2 NEEDS crypto zlib)
dependency(hiredis hiredis)
dependency(rabbitmq rabbitmq)
dependency(rdkafka rdkafka NEEDS crypto zlib)
dependency(cmocka cmocka)
