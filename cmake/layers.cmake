# The layers of src/ and their one-way arrows. This table is all that a layer is: its folder's *.c make its library.
#
#   caisson_layer(NAME [SEES layer...] [LIBS dep...] [OWN_LIBS dep...])
#
# SEES      the layers an arrow leads to; what those see, it sees too
# LIBS      third-party libraries in its headers, seen by every layer above it as well
# OWN_LIBS  third-party libraries in its sources alone
#
# A layer's include root is a folder of links to the layers it may see, so an include against an arrow does not compile.

set(CAISSON_LAYER_ROOTS "${CMAKE_BINARY_DIR}/layers")
set(CAISSON_LAYERS "")
add_custom_target(check_includes DEPENDS "${CMAKE_BINARY_DIR}/check_includes.stamp")

function(caisson_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SEES;LIBS;OWN_LIBS")
    set(visible ${name})
    set(libs ${ARG_LIBS})
    foreach(below IN LISTS ARG_SEES)
        list(APPEND visible ${CAISSON_VISIBLE_${below}})
        list(APPEND libs ${CAISSON_LIBS_${below}})
    endforeach()
    list(REMOVE_DUPLICATES visible)
    list(REMOVE_DUPLICATES libs)
    set(CAISSON_VISIBLE_${name} "${visible}" PARENT_SCOPE)
    set(CAISSON_LIBS_${name} "${libs}" PARENT_SCOPE)

    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.c")
    list(REMOVE_ITEM sources "${CMAKE_SOURCE_DIR}/src/cli/main.c")
    file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.h")
    set_property(GLOBAL APPEND PROPERTY CAISSON_FILES ${sources} ${headers})

    # folders that do not exist yet get no link
    file(REMOVE_RECURSE "${CAISSON_LAYER_ROOTS}/${name}")
    file(MAKE_DIRECTORY "${CAISSON_LAYER_ROOTS}/${name}")
    foreach(layer IN LISTS visible)
        if(IS_DIRECTORY "${CMAKE_SOURCE_DIR}/src/${layer}")
            file(CREATE_LINK "${CMAKE_SOURCE_DIR}/src/${layer}" "${CAISSON_LAYER_ROOTS}/${name}/${layer}" SYMBOLIC)
        endif()
    endforeach()
    if(NOT sources)
        return()
    endif()

    add_library(caisson_${name} STATIC ${sources})
    caisson_use_layer_includes(caisson_${name} ${name})
    foreach(lib IN LISTS libs)
        target_link_libraries(caisson_${name} PUBLIC dep::${lib})
    endforeach()
    foreach(lib IN LISTS ARG_OWN_LIBS)
        target_link_libraries(caisson_${name} PRIVATE dep::${lib})
    endforeach()
    foreach(layer IN LISTS visible)
        if(NOT layer STREQUAL name AND TARGET caisson_${layer})
            target_link_libraries(caisson_${name} PRIVATE caisson_${layer})
        endif()
    endforeach()
    # Bytes of logs and of files run through the others; these decide, once a job.
    if(CAISSON_STATIC AND name MATCHES "^(spec|git|engine|bus|detect|report|profiles|job|cli)$")
        target_compile_options(caisson_${name} PRIVATE -Os)
    endif()
    add_dependencies(caisson_${name} check_includes)
    target_compile_definitions(caisson_${name} PRIVATE
        CAISSON_VERSION="${PROJECT_VERSION}" $<$<STREQUAL:${name},cli>:CAISSON_COMMIT="${CAISSON_COMMIT}">)
    set(CAISSON_LAYERS ${CAISSON_LAYERS} ${name} PARENT_SCOPE)
endfunction()

# caisson_use_layer_includes(TARGET LAYER): TARGET sees what LAYER sees, and nothing else of ours
function(caisson_use_layer_includes target layer)
    target_include_directories(${target} PRIVATE "${CAISSON_LAYER_ROOTS}/${layer}")
endfunction()

caisson_layer(core LIBS jansson OWN_LIBS crypto yaml zlib)
set_source_files_properties(src/core/mem.c PROPERTIES INCLUDE_DIRECTORIES "${CAISSON_PREFIX}/headers/mimalloc")
caisson_layer(net SEES core LIBS curl OWN_LIBS crypto)
caisson_layer(proc SEES core net)
caisson_layer(spec SEES core OWN_LIBS yaml)
caisson_layer(git SEES core proc OWN_LIBS git2)
caisson_layer(engine SEES core proc)
include(templates)
caisson_layer(aws SEES net OWN_LIBS crypto)
caisson_layer(oci SEES net OWN_LIBS crypto)
caisson_layer(publish SEES aws OWN_LIBS crypto brotli zlib zstd)
caisson_layer(cache SEES aws OWN_LIBS crypto)
caisson_layer(bus SEES net OWN_LIBS hiredis rabbitmq rdkafka)
caisson_layer(detect SEES core)
caisson_layer(report SEES aws bus OWN_LIBS crypto zlib zstd)
caisson_layer(profiles SEES spec report)
caisson_layer(job SEES core net proc spec git engine aws oci publish cache bus detect report profiles OWN_LIBS zlib)
caisson_layer(cli SEES job OWN_LIBS brotli crypto git2 hiredis rabbitmq rdkafka yaml zlib zstd)
caisson_layer(dispatch SEES aws bus spec report profiles)

# The second half of the rule, see check_includes.cmake; every layer waits for it.
get_property(_files GLOBAL PROPERTY CAISSON_FILES)
if(EXISTS "${CMAKE_SOURCE_DIR}/src/cli/main.c")
    list(APPEND _files "${CMAKE_SOURCE_DIR}/src/cli/main.c")
endif()
list(JOIN _files "\n" _list)
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/check_includes.list" CONTENT "${_list}\n" @ONLY)
file(GLOB _layers RELATIVE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/src/*")
list(JOIN _layers "," _layers)
add_custom_command(OUTPUT "${CMAKE_BINARY_DIR}/check_includes.stamp"
    COMMAND "${CMAKE_COMMAND}" "-DLIST=${CMAKE_BINARY_DIR}/check_includes.list" "-DLAYERS=${_layers}"
        -P "${CMAKE_SOURCE_DIR}/cmake/check_includes.cmake"
    COMMAND "${CMAKE_COMMAND}" -E touch "${CMAKE_BINARY_DIR}/check_includes.stamp"
    DEPENDS ${_files} "${CMAKE_BINARY_DIR}/check_includes.list" "${CMAKE_SOURCE_DIR}/cmake/check_includes.cmake"
    COMMENT "Checking includes" VERBATIM)
