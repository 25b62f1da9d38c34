/* A simulated lab: the truth of a world screen seen through the noise of counting cells.
 *
 * A value from n cells has a standard deviation of noise_per_cell / sqrt(n). A perturbation is over- or under-represented in every
 * round by its cells in the world screen over their median, so a plan of m cells yields Poisson(m * that ratio). Every request has
 * its own stream (seed, round, perturbation): what else is asked for does not change an answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "core/stats.h"
#include "simulator/oracle_internal.h"

/* Below this share of the planned cells a result counts as partial. */
static const double partial_share = 0.25;

typedef struct {
    sow_oracle base;
    const sow_screen *screen;
    uint64_t seed;
    double noise_per_cell, failure_rate, median_cells;
} simulated_lab;

static sow_status create_generative(sow_oracle **out, const sow_oracle_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    simulated_lab *lab = NULL;
    *out = NULL;
    if (!options || !options->screen) SOW_FAIL(err, SOW_E_ARG, "the generative oracle needs the screen of a world");
    if (!(options->noise_per_cell >= 0) || !isfinite(options->noise_per_cell))
        SOW_FAIL(err, SOW_E_ARG, "noise_per_cell is %g: a finite number >= 0 is allowed", options->noise_per_cell);
    if (!(options->failure_rate >= 0 && options->failure_rate <= 1))
        SOW_FAIL(err, SOW_E_ARG, "failure_rate is %g: 0 to 1 is allowed", options->failure_rate);
    SOW_NEW(lab, 1);
    lab->base.class_ = &sow_i_oracle_generative;
    lab->screen = options->screen;
    lab->seed = options->seed;
    lab->noise_per_cell = options->noise_per_cell;
    lab->failure_rate = options->failure_rate;
    if (lab->screen->n_rows > 0) SOW_TRY(sow_quantile(&lab->median_cells, lab->screen->cells, lab->screen->n_rows, 0.5, err));
    *out = &lab->base;
    lab = NULL;
done:
    free(lab);
    return st;
}

/* Cells that come back; a world without cell counts gives what was planned. */
static double draw_cells(const simulated_lab *lab, double world_cells, sow_index planned, sow_rng *rng)
{
    const double share = isfinite(world_cells) && lab->median_cells > 0 ? world_cells / lab->median_cells : 1.0;
    return planned > 0 ? (double)sow_rng_poisson(rng, (double)planned * share) : isfinite(world_cells) ? world_cells : 1.0;
}

static void blank(sow_measurement *m, const sow_measurements *all, const char *reason)
{
    m->outcome = SOW_FAILED;
    m->weight = m->hit = NAN;
    for (sow_index j = 0; j < all->n_features; j++)
        m->values[j] = NAN;
    for (sow_index j = 0; j < all->n_covariates; j++)
        m->covariate[j] = NAN;
    snprintf(m->reason, sizeof m->reason, "%s", reason);
}

static void measure_one(const simulated_lab *lab, sow_measurement *m, const sow_measurements *all, sow_index planned,
                        sow_index round)
{
    sow_rng rng = sow_rng_make(lab->seed, SOW_RNG_ORACLE, (uint32_t)round, (uint32_t)m->perturbation);
    const int failed = sow_rng_uniform(&rng) < lab->failure_rate;
    m->cells = draw_cells(lab, m->cells, planned, &rng);
    if (failed || !(m->cells >= 1)) {
        blank(m, all, failed ? "failed in the simulated lab" : "no cell came back from the simulated lab");
        m->cells = 0;
        return;
    }
    for (sow_index j = 0; j < all->n_features; j++)
        m->values[j] += lab->noise_per_cell / sqrt(m->cells) * sow_rng_normal(&rng);
    for (sow_index j = 0; j < all->n_covariates; j++)
        if (strcmp(sow_names_get(lab->screen->covariates, j), "log(cells)") == 0) m->covariate[j] = log(m->cells);
    m->weight = m->cells;
    m->outcome = SOW_MEASURED;
    if (planned > 0 && m->cells < partial_share * (double)planned) {
        m->outcome = SOW_PARTIAL;
        snprintf(m->reason, sizeof m->reason, "%.0f of %lld planned cells came back", m->cells, (long long)planned);
    }
}

static sow_status measure_generative(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n,
                                     sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    const simulated_lab *lab = (const simulated_lab *)oracle;
    SOW_TRY(sow_i_measurements_init(out, requests, n, lab->screen, err));
    for (sow_index i = 0; i < n; i++) {
        sow_measurement *m = &out->item[i];
        const sow_index row = sow_screen_find(lab->screen, m->perturbation, m->context);
        if (row < 0) {
            blank(m, out, "the simulated world does not have it in this context");
            continue;
        }
        sow_i_measurement_from_row(m, lab->screen, row);
        measure_one(lab, m, out, requests[i].planned_cells, round);
    }
done:
    return st;
}

static void destroy_generative(sow_oracle *oracle)
{
    free(oracle);
}

const sow_oracle_class sow_i_oracle_generative = {
    .name = "generative",
    .summary = "a simulated lab: the truth of a made world with the noise of the cells that came back",
    .needs_people = 0,
    .create = create_generative,
    .measure = measure_generative,
    .destroy = destroy_generative,
};
