/* The Papalexi THP-1 screen of ../shared/data, read and prepared, for tests of statistics on real cells. */
#ifndef SOWER_TESTS_CORE_PAPALEXI_H
#define SOWER_TESTS_CORE_PAPALEXI_H

#include <criterion/criterion.h>
#include <unistd.h>

#include "core/prepare.h"
#include "io/cell_source.h"
#include "tests/io/scratch.h"

#define PAPALEXI SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad"

#define PAPALEXI_OR_SKIP()                                                                                                         \
    do {                                                                                                                           \
        if (access(PAPALEXI, R_OK) != 0) {                                                                                         \
            fprintf(stderr, "SKIPPED: needs ../shared/data\n");                                                                    \
            cr_skip("needs ../shared/data");                                                                                       \
        }                                                                                                                          \
    } while (0)

typedef struct {
    sow_cells cells;
    sow_screen *screen;
    sow_preparation p;
} papalexi;

/* All 299 genes, counts scaled to `target_sum` (NaN = the median of all cells), log1p. The cache lies in a folder that is removed at once. */
static inline papalexi read_papalexi(double target_sum)
{
    papalexi s = {0};
    sow_error err = {0};
    sow_features features = SOW_FEATURES_INIT;
    const sow_source source = {.file = PAPALEXI, .context = "THP-1", .perturbation_column = "gene", .control = "non-targeting", .guide_column = "grna",
                               .replicate_column = "replicate", .values = SOW_VALUES_COUNTS};
    scratch_create();
    cr_assert_eq(sow_cells_read(&s.cells, &s.screen, NULL, NULL, &source, 1, scratch, 0, NULL, &err), SOW_OK, "%s", err.message);
    sow_index *all = calloc((size_t)s.cells.n, sizeof *all);
    for (sow_index i = 0; i < s.cells.n; i++) all[i] = i;
    features.target_sum = target_sum;
    cr_assert_eq(sow_preparation_fit(&s.p, NULL, &s.cells, all, s.cells.n, &features, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(s.p.d, 299);
    free(all);
    return s;
}

static inline void free_papalexi(papalexi *s)
{
    sow_preparation_clear(&s->p);
    sow_cells_clear(&s->cells);
    sow_screen_destroy(s->screen);
    scratch_remove();
}

/* Cells of a target, or of the controls for NULL; returns how many. */
static inline sow_index papalexi_cells(const sow_index **list, const papalexi *s, const char *target)
{
    return sow_cells_of(list, &s->cells, target ? sow_names_find(s->screen->perturbations, target) : SOW_CONTROL, 0);
}

#endif
