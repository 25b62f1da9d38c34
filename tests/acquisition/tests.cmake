sow_add_test(acquisition/conformance)
sow_add_test(acquisition/constraints)
sow_add_test(acquisition/learned)
sow_add_test(acquisition/strategies)
