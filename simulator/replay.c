/* Replay: the answers are read from a finished screen (cells: replay_cells.c). A perturbation that the screen did not measure fails, with the reason. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "simulator/oracle_internal.h"

typedef struct {
    sow_oracle base;
    const sow_screen *screen;
} replay;

static sow_status create_replay(sow_oracle **out, const sow_oracle_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    replay *r = NULL;
    *out = NULL;
    if (options && options->cells) return sow_i_oracle_replay_cells.create(out, options, err);
    if (!options || !options->screen) SOW_FAIL(err, SOW_E_ARG, "the replay oracle needs a finished screen");
    SOW_NEW(r, 1);
    r->base.class_ = &sow_i_oracle_replay;
    r->screen = options->screen;
    *out = &r->base;
done:
    return st;
}

/* A row without any value is a failure, one with gaps is partial. */
static void judge(sow_measurement *m, sow_index n_features)
{
    sow_index missing = 0;
    for (sow_index j = 0; j < n_features; j++)
        missing += !isfinite(m->values[j]);
    m->outcome = missing == 0 ? SOW_MEASURED : missing == n_features ? SOW_FAILED : SOW_PARTIAL;
    if (m->outcome == SOW_FAILED)
        snprintf(m->reason, sizeof m->reason, "the finished screen has no value for it");
    else if (m->outcome == SOW_PARTIAL)
        snprintf(m->reason, sizeof m->reason, "%lld of %lld values are missing in the finished screen", (long long)missing,
                 (long long)n_features);
}

static sow_status measure_replay(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n,
                                 sow_index round, sow_error *err)
{
    (void)round;
    sow_status st = SOW_OK;
    const replay *r = (const replay *)oracle;
    SOW_TRY(sow_i_measurements_init(out, requests, n, r->screen, err));
    for (sow_index i = 0; i < n; i++) {
        sow_measurement *m = &out->item[i];
        const sow_index row = sow_screen_find(r->screen, m->perturbation, m->context);
        if (row < 0) {
            m->outcome = SOW_FAILED;
            snprintf(m->reason, sizeof m->reason, "the finished screen did not measure it in %.60s",
                     sow_names_get(r->screen->contexts, m->context));
            continue;
        }
        sow_i_measurement_from_row(m, r->screen, row);
        judge(m, out->n_features);
    }
done:
    return st;
}

static void destroy_replay(sow_oracle *oracle)
{
    free(oracle);
}

const sow_oracle_class sow_i_oracle_replay = {
    .name = "replay",
    .summary = "reads the answers from a finished screen",
    .needs_people = 0,
    .create = create_replay,
    .measure = measure_replay,
    .destroy = destroy_replay,
};
