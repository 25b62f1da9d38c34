/* Lab: people measure. Every request is pending until its result is recorded. */
#include <stdlib.h>

#include "core/memory.h"
#include "simulator/oracle_internal.h"

typedef struct {
    sow_oracle base;
    const sow_screen *screen; /* may be NULL: only sizes the answers */
} lab;

static sow_status create_lab(sow_oracle **out, const sow_oracle_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    lab *l = NULL;
    *out = NULL;
    SOW_NEW(l, 1);
    l->base.class_ = &sow_i_oracle_lab;
    l->screen = options ? options->screen : NULL;
    *out = &l->base;
done:
    return st;
}

static sow_status measure_lab(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n, sow_index round,
                              sow_error *err)
{
    (void)round;
    return sow_i_measurements_init(out, requests, n, ((const lab *)oracle)->screen, err);
}

static void destroy_lab(sow_oracle *oracle)
{
    free(oracle);
}

const sow_oracle_class sow_i_oracle_lab = {
    .name = "lab",
    .summary = "people measure: the batch is ordered and its results come by `sower record`",
    .needs_people = 1,
    .create = create_lab,
    .measure = measure_lab,
    .destroy = destroy_lab,
};
