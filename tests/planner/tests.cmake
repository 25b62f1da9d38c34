foreach(_test IN ITEMS campaign cells orient readouts record)
    sow_add_test(planner/${_test} LIBS PkgConfig::JANSSON)
endforeach()
