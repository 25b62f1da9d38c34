# Every public header compiles alone, as C17 and as C++17: one generated source a header and language. Built with everything else; the test
# builds it again, so that `ctest` says which header it is.
get_property(_headers GLOBAL PROPERTY SOWER_HEADERS)
set(_sources)
foreach(_header IN LISTS _headers)
    string(MAKE_C_IDENTIFIER "${_header}" _name)
    foreach(_language IN ITEMS c cpp)
        set(_source "${CMAKE_CURRENT_BINARY_DIR}/headers/${_name}.${_language}")
        # included twice: the guard is part of the promise; the typedef keeps the file from being empty
        file(CONFIGURE OUTPUT "${_source}" CONTENT "#include \"${_header}\"\n#include \"${_header}\"\ntypedef int ${_name}_stands_alone;\n")
        list(APPEND _sources "${_source}")
    endforeach()
endforeach()

add_library(headers_alone OBJECT ${_sources})
target_include_directories(headers_alone PRIVATE "${CMAKE_SOURCE_DIR}")
target_compile_options(headers_alone PRIVATE -Wall -Wextra -Wpedantic -Werror)
set_target_properties(headers_alone PROPERTIES CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
add_test(NAME headers/alone COMMAND "${CMAKE_COMMAND}" --build "${CMAKE_BINARY_DIR}" --target headers_alone)
