/* Predictions of a simulated screen held against what is true there: mean changes without the noise of any measured cell. Nobody but the evaluation looks at it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

static int is_simulated(const sow_campaign *c)
{
    return c->has_truth && strcmp(c->config->oracle.kind, "generative") == 0;
}

void sow_i_true_changes_clear(sow_i_true_changes *t)
{
    free(t->change);
    free(t->kind);
    *t = (sow_i_true_changes){0};
}

sow_status sow_i_true_changes_make(sow_i_true_changes *out, const sow_campaign *c, const sow_index *perturbation, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_preparation *space = &c->cells->space;
    sow_cell_world_options world;
    sow_calibration measured = {0};
    double *all = NULL;
    *out = (sow_i_true_changes){0};
    if (!is_simulated(c)) return SOW_OK;
    const sow_cell_view view = {sow_names_count(c->cells->table.genes), space->counted, space->target_sum, space->log1p};
    SOW_TRY(sow_i_world_options(&world, &measured, c->config, err));
    SOW_NEW(out->change, n * c->d);
    SOW_NEW(out->kind, n);
    SOW_NEW(all, n * view.genes);
    SOW_TRY(sow_cell_world_expect(all, out->kind, &world, c->here->target, perturbation, n, &view, c->env, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index g = 0; g < view.genes; g++)
            if (space->column[g] >= 0) out->change[i * c->d + space->column[g]] = all[i * view.genes + g];
done:
    free(all);
    sow_calibration_clear(&measured);
    if (st != SOW_OK) sow_i_true_changes_clear(out);
    return st;
}

/* Sums over items of one kind, or of all. */
typedef struct {
    double n, root, off, whole;
} sums;

static void add_item(sums *s, const double *truth, const double *predicted, sow_index d)
{
    double off = 0, whole = 0;
    for (sow_index j = 0; j < d; j++) {
        off += (predicted[j] - truth[j]) * (predicted[j] - truth[j]);
        whole += truth[j] * truth[j];
    }
    s->n++;
    s->root += sqrt(off / (double)d);
    s->off += off;
    s->whole += whole;
}

static void add_row(json_t *rows, const sow_campaign *c, sow_index round, const char *model, const char *metric, double value)
{
    json_array_append_new(rows, json_pack("{s:I,s:I,s:s,s:s,s:s,s:o,s:n,s:n}", "round", (json_int_t)round, "measured", (json_int_t)sow_i_count_measured(c), "model", model, "context",
                                          sow_i_target_name(c), "metric", metric, "value", sow_i_real_or_null(value), "low", "high"));
}

void sow_i_score_truth(json_t *rows, const sow_campaign *c, const sow_i_true_changes *t, sow_index n, const double *predicted, const char *model, sow_index round)
{
    enum { ALONE = SOW_INTERACTIONS, ALL };
    sums of[ALL + 1] = {0};
    if (!t->change) return;
    for (sow_index i = 0; i < n; i++) {
        add_item(&of[t->kind[i] == SOW_NO_INTERACTION ? ALONE : t->kind[i]], &t->change[i * c->d], &predicted[i * c->d], c->d);
        add_item(&of[ALL], &t->change[i * c->d], &predicted[i * c->d], c->d);
    }
    add_row(rows, c, round, model, "truth_rmse", of[ALL].root / of[ALL].n);
    add_row(rows, c, round, model, "truth_explained", 1 - of[ALL].off / of[ALL].whole);
    for (int k = 0; k <= ALONE && of[ALONE].n < of[ALL].n; k++) {
        char metric[60];
        if (of[k].n == 0) continue;
        snprintf(metric, sizeof metric, "truth_explained_%s", k == ALONE ? "alone" : sow_interaction_name(k));
        add_row(rows, c, round, model, metric, 1 - of[k].off / of[k].whole);
    }
}
