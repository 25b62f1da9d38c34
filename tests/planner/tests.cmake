foreach(_test IN ITEMS allocation allocation_rules calibrate campaign cells cells_faults cells_lab contexts contexts_simulated contexts_unseen evaluate_command learning_curve map morph morph_screens orient pairs power predict readouts record seeds seeds_command sweep sweep_stats)
    sow_add_test(planner/${_test} LIBS PkgConfig::JANSSON)
endforeach()
sow_add_test(planner/sweep_null LABELS slow LIBS PkgConfig::JANSSON)
