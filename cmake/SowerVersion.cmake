find_package(Git QUIET)
set(SOWER_GIT_HASH "unknown")
if(GIT_FOUND AND EXISTS "${CMAKE_SOURCE_DIR}/.git")
    execute_process(COMMAND ${GIT_EXECUTABLE} -C "${CMAKE_SOURCE_DIR}" rev-parse --short=12 HEAD
                    OUTPUT_VARIABLE SOWER_GIT_HASH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE _git)
    if(NOT _git EQUAL 0)
        set(SOWER_GIT_HASH "unknown")
    endif()
endif()
