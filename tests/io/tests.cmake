sow_add_test(io/file)
sow_add_test(io/store)
