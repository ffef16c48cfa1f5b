# cmake -DLIST=FILE -DOUT=FILE -P embed_templates.cmake
#
# Makes the C table of Dockerfile templates (src/engine/template.h). A line of LIST is "NAME FILE [ARG=VALUE]...":
# FILE stands beside it, and each ARG in it gets the value as its default.

get_filename_component(folder "${LIST}" DIRECTORY)
file(STRINGS "${LIST}" lines REGEX "^[a-z]")
list(SORT lines)
set(arrays "")
set(rows "")

foreach(line IN LISTS lines)
    separate_arguments(words UNIX_COMMAND "${line}")
    list(POP_FRONT words name file)
    file(READ "${folder}/${file}" text)
    foreach(word IN LISTS words)
        string(REGEX REPLACE "=.*" "" arg "${word}")
        string(REPLACE "\nARG ${arg}\n" "\nARG ${word}\n" with "${text}")
        if(with STREQUAL text)
            message(FATAL_ERROR "${file} has no line \"ARG ${arg}\"")
        endif()
        set(text "${with}")
    endforeach()
    string(LENGTH "${text}" length)
    string(HEX "${text}" hex)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}};\n")
    string(APPEND rows "    {\"${name}\", ${name}, sizeof ${name}},\n")
endforeach()

file(WRITE "${OUT}" "/* Made by embed_templates.cmake. */
#include \"engine/template.h\"

${arrays}
const struct build_template build_template_table[] = {
${rows}    {0, 0, 0},
};
")
