sow_add_test(core/kmeans)
sow_add_test(core/pca)
