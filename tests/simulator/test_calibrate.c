/* Calibrations of screens whose truth is known. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/stats.h"
#include "simulator/calibrate.h"
#include "simulator/cell_world.h"
#include "tests/io/faults.h"

typedef struct {
    sow_cells cells;
    sow_screen *screen;
    sow_calibration c;
} measured;

static measured make(const sow_cell_world_options *o)
{
    measured m = {0};
    sow_error err = {0};
    cr_assert_eq(sow_cell_world_create(&m.cells, &m.screen, NULL, NULL, o, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_calibrate(&m.c, &m.cells, m.screen, 0, &err), SOW_OK, "%s", err.message);
    return m;
}

static void clear(measured *m)
{
    sow_calibration_clear(&m->c);
    sow_cells_clear(&m->cells);
    sow_screen_destroy(m->screen);
}

static sow_cell_world_options world(void)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = 200;
    o.n_genes = 150;
    o.n_modules = 40;
    o.n_controls = 4000;
    o.batches = 4;
    o.batch_effect = 0.2;
    o.batch_depth = 0.3;
    return o;
}

Test(calibrate, finds_again_what_a_world_was_made_with)
{
    sow_cell_world_options o = world();
    measured first = make(&o);
    const sow_calibration *a = &first.c;
    cr_assert(a->n_controls == 4000 && a->n_perturbations == 200 && a->n_batches == 4);
    cr_assert_float_eq(a->batch_effect, 0.2, 0.03);
    cr_assert(a->batch_depth > 0.1 && a->batch_depth < 0.7, "%g", a->batch_depth); /* of four batches */
    cr_assert_float_eq(a->cells[3], 96, 20);
    /* a world made with these has them too */
    o.measured = a;
    o.seed = 2;
    o.batches = 1;
    o.batch_effect = o.batch_depth = 0;
    measured second = make(&o);
    const sow_calibration *b = &second.c;
    cr_assert_float_eq(b->depth_median / a->depth_median, 1, 0.05);
    cr_assert_float_eq(b->depth_log_sd / a->depth_log_sd, 1, 0.1);
    cr_assert(b->batch_effect == 0 && b->n_batches == 1);
    cr_assert_float_eq(b->length[2] / a->length[2], 1, 0.25, "median length %g, was %g", b->length[2], a->length[2]);
    cr_assert_float_eq(b->length[4] / a->length[4], 1, 0.25, "90 %% of lengths %g, was %g", b->length[4], a->length[4]);
    clear(&first);
    clear(&second);
}

/* Without any effect the noise of counting alone must not look like one. */
Test(calibrate, sees_no_effects_where_there_are_none)
{
    sow_cell_world_options o = world();
    o.batches = 1;
    o.batch_effect = o.batch_depth = 0;
    measured with = make(&o);
    o.escapers = 1;
    measured without = make(&o);
    cr_assert(without.c.length[2] < 0.25 * with.c.length[2], "%g against %g", without.c.length[2], with.c.length[2]);
    cr_assert(without.c.length[0] <= 0.02);
    clear(&with);
    clear(&without);
}

Test(calibrate, refuses_cells_that_say_nothing)
{
    sow_cell_world_options o = world();
    sow_calibration c;
    sow_error err = {0};
    o.n_controls = 19;
    measured m = {0};
    cr_assert_eq(sow_cell_world_create(&m.cells, &m.screen, NULL, NULL, &o, NULL, &err), SOW_OK);
    cr_assert_eq(sow_calibrate(&c, &m.cells, m.screen, 0, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "at least 20 control cells"), "%s", err.message);
    for (sow_index i = 0; i < 19; i++)
        m.cells.perturbation[i] = 0;
    cr_assert_eq(sow_cells_index(&m.cells, 200, 1, &err), SOW_OK);
    cr_assert_eq(sow_calibrate(&c, &m.cells, m.screen, 0, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "context simulated has no control cells"), "%s", err.message);
    clear(&m);
    o.n_controls = 100;
    cr_assert_eq(sow_cell_world_create(&m.cells, &m.screen, NULL, NULL, &o, NULL, &err), SOW_OK);
    m.cells.is_log[0] = 1;
    cr_assert_eq(sow_calibrate(&c, &m.cells, m.screen, 0, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "raw counts"), "%s", err.message);
    clear(&m);
}

static measured tiny;

static sow_status calibrate_once(sow_error *err)
{
    sow_calibration c;
    const sow_status st = sow_calibrate(&c, &tiny.cells, tiny.screen, 0, err);
    cr_assert(st == SOW_OK || c.genes.n == 0);
    sow_calibration_clear(&c);
    return st;
}

Test(calibrate, survives_every_failed_allocation)
{
    sow_cell_world_options o = world();
    o.n_perturbations = 3;
    o.n_modules = 1;
    o.n_genes = 8;
    o.n_controls = 100;
    tiny = make(&o);
    every_allocation_may_fail(calibrate_once, 1);
    clear(&tiny);
}
