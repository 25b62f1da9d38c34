/* A simulated screen with all that comes with it. */
#ifndef SOWER_TESTS_SIMULATOR_CELL_WORLD_FIXTURE_H
#define SOWER_TESTS_SIMULATOR_CELL_WORLD_FIXTURE_H

#include <criterion/criterion.h>

#include "simulator/cell_world.h"

typedef struct {
    sow_cells cells;
    sow_screen *screen;
    sow_prior prior;
    sow_cell_truth truth;
} made;

static inline made make(sow_cell_world_options o, int threads)
{
    made m = {0};
    sow_error err = {0};
    sow_env env = {0};
    cr_assert_eq(sow_threads_create(&env.threads, threads, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_cell_world_create(&m.cells, &m.screen, &m.prior, &m.truth, &o, &env, &err), SOW_OK, "%s", err.message);
    sow_threads_destroy(env.threads);
    return m;
}

static inline void clear(made *m)
{
    sow_cells_clear(&m->cells);
    sow_screen_destroy(m->screen);
    sow_prior_clear(&m->prior);
    sow_cell_truth_clear(&m->truth);
}

#endif
