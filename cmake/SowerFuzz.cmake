# Flags of a fuzzing build, on the library too: coverage for libFuzzer, asserts left in, and casts of numbers that do not fit counted as errors.
option(SOWER_FUZZ "Build the libFuzzer targets of tests/fuzz (needs clang)" OFF)
if(SOWER_FUZZ)
    set(SOWER_SANITIZE "address,undefined,float-cast-overflow")
    set(CMAKE_C_FLAGS_FUZZ "-O1 -g" CACHE STRING "" FORCE)
    set(CMAKE_BUILD_TYPE Fuzz CACHE STRING "" FORCE)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
