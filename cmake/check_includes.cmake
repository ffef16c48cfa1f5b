# cmake -DLIST=FILE -DLAYERS=a,b,… -P check_includes.cmake
# Every include of ours in the files that LIST names is written "layer/name.h". Links alone cannot stop "../job/x.h":
# the compiler looks beside the including file first.

file(STRINGS "${LIST}" files)
string(REPLACE "," "|" layers "${LAYERS}")
set(bad "")
foreach(file IN LISTS files)
    file(STRINGS "${file}" lines REGEX "^[ \t]*#[ \t]*(include|include_next|import|embed)")
    foreach(line IN LISTS lines)
        if(line MATCHES "^#include \"(${layers})/[a-z0-9_]+\\.(h|inc)\"" OR
            (line MATCHES "^#include <[a-zA-Z0-9_/.-]+>" AND NOT line MATCHES "\\.\\./|<(/|(${layers})/)"))
            continue()
        endif()
        string(APPEND bad "${file}: ${line}\n")
    endforeach()
endforeach()
if(bad)
    message(FATAL_ERROR "Includes of ours are written #include \"layer/name.h\", of libraries #include <name.h>:\n${bad}")
endif()
