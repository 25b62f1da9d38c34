sow_add_test(simulator/oracle)
sow_add_test(simulator/world)
sow_add_test(simulator/replay_cells)
sow_add_test(simulator/cell_world)
