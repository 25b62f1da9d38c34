# The program from outside: one shell script a subject, and two small tools for them.
foreach(_tool IN ITEMS json_get kill_at)
    add_executable(${_tool} cli/${_tool}.c)
    set_target_properties(${_tool} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/cli-tools")
    target_compile_definitions(${_tool} PRIVATE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
endforeach()
target_link_libraries(json_get PRIVATE PkgConfig::JANSSON)

function(sow_add_script name)
    cmake_parse_arguments(A "" "TIMEOUT" "LABELS" ${ARGN})
    add_test(NAME "cli/${name}" COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/run_test.sh" sh "${CMAKE_CURRENT_SOURCE_DIR}/cli/${name}.sh"
             $<TARGET_FILE:sower> $<TARGET_FILE_DIR:json_get>)
    set_tests_properties("cli/${name}" PROPERTIES LABELS "cli;${A_LABELS}" SKIP_RETURN_CODE 77)
endfunction()

foreach(_script IN ITEMS budget play rules same_bytes kill interrupt second_process lab bad_config bad_data bad_rules bad_record bad_disk changed options
                         init inspect_cells campaigns cells damaged_hdf5 preprocess evaluate contexts contexts_bad seeds predict map fit pairs simulate_screens simulate sweep_budget mpi slurm power allocation)
    sow_add_script(${_script})
endforeach()
if(SOWER_SANITIZE) # minutes there, most of them one training after another
    sow_add_script(mpi_train LABELS slow)
else()
    sow_add_script(mpi_train)
endif()
sow_add_script(kill_everywhere LABELS slow)
