# The Dockerfile templates of src/engine/templates as a C table, a source of the layer engine.

set(_templates "${CMAKE_SOURCE_DIR}/src/engine/templates")
set(_table "${CMAKE_BINARY_DIR}/generated/engine_templates.c")
file(GLOB _template_files CONFIGURE_DEPENDS "${_templates}/*.Dockerfile")
add_custom_command(OUTPUT "${_table}"
    COMMAND "${CMAKE_COMMAND}" "-DLIST=${_templates}/list" "-DOUT=${_table}"
        -P "${CMAKE_SOURCE_DIR}/cmake/embed_templates.cmake"
    DEPENDS ${_template_files} "${_templates}/list" "${CMAKE_SOURCE_DIR}/cmake/embed_templates.cmake"
    COMMENT "Embedding Dockerfile templates" VERBATIM)
if(TARGET caisson_engine) # not in a build of some layers alone
    target_sources(caisson_engine PRIVATE "${_table}")
endif()
