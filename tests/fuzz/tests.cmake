# The fuzz targets over their committed corpus and over every input that once crashed, built like any other test (scripts/fuzz builds them with libFuzzer).
function(sow_add_fuzz_replay target source)
    string(REPLACE "-" "_" _name "replay_${target}")
    add_executable(${_name} fuzz/${source} fuzz/fuzz.c fuzz/replay.c)
    target_link_libraries(${_name} PRIVATE sower_flags sower_static)
    file(GLOB _crashes CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/crashes/${target}/*")
    add_test(NAME "fuzz/${target}" COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/run_test.sh" $<TARGET_FILE:${_name}>
             "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${target}" ${_crashes})
endfunction()
if(NOT SOWER_SANITIZE STREQUAL "thread")
    sow_add_fuzz_replay(csv fuzz_csv.c)
    sow_add_fuzz_replay(gmt fuzz_gmt.c)
    sow_add_fuzz_replay(yaml fuzz_yaml.c)
endif()
