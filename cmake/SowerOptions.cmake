option(SOWER_TESTS "Build the tests (needs Criterion)" OFF)
option(SOWER_BENCH "Build the benchmarks" OFF)
option(SOWER_WERROR "Warnings are errors" OFF)
set(SOWER_SANITIZE "" CACHE STRING "Sanitizers, comma separated, e.g. address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

# -ffp-contract=off: a fused multiply-add on one compiler and not on another would change the last bits of a result.
add_library(sower_flags INTERFACE)
target_include_directories(sower_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(sower_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
target_compile_options(sower_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes>
    -ffp-contract=off -fno-math-errno)
if(SOWER_WERROR)
    target_compile_options(sower_flags INTERFACE -Werror)
endif()
if(SOWER_SANITIZE)
    target_compile_options(sower_flags INTERFACE -fsanitize=${SOWER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(sower_flags INTERFACE -fsanitize=${SOWER_SANITIZE})
endif()

# sow_add_folder(NAME SOURCES ... HEADERS ... USES folders LIBS libraries): one object library for one folder.
function(sow_add_folder name)
    cmake_parse_arguments(A "" "" "SOURCES;HEADERS;USES;LIBS" ${ARGN})
    add_library(sower_${name} OBJECT ${A_SOURCES})
    target_link_libraries(sower_${name} PUBLIC sower_flags ${A_LIBS})
    list(TRANSFORM A_HEADERS PREPEND "${name}/")
    set_property(GLOBAL APPEND PROPERTY SOWER_FOLDERS ${name})
    set_property(GLOBAL APPEND PROPERTY SOWER_HEADERS ${A_HEADERS})
endfunction()
