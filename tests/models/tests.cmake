sow_add_test(models/conformance)
sow_add_test(models/model)
