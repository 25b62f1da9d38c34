sow_add_test(simulator/oracle)
sow_add_test(simulator/world)
