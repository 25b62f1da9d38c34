/* The report's "cells" (io/report.h): the response space, what was handed out each round, and what each measured perturbation did. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/consistency.h"
#include "core/de.h"
#include "core/memory.h"
#include "core/stats.h"
#include "planner/cells_internal.h"

enum { FEWEST_CELLS = 8 }; /* of a replicate or guide that is compared with others */

static const char de_rule[] = "Wilcoxon rank sum with tie correction, Benjamini-Hochberg q < 0.05, against the controls of the same round";

static json_t *space_json(const sow_campaign *c)
{
    const json_t *e = c->cells->frozen_event;
    return json_pack("{s:I,s:I,s:O,s:O,s:O,s:O,s:I}", "genes", (json_int_t)c->d, "genes_in_data", (json_int_t)sow_names_count(c->cells->table.genes),
                     "target_sum", json_object_get(e, "target_sum"), "log1p", json_object_get(e, "log1p"), "highly_variable",
                     json_object_get(e, "highly_variable"), "fitted_on", json_object_get(e, "fitted_on"), "not_counted",
                     (json_int_t)json_array_size(json_object_get(e, "not_counted")));
}

static json_t *round_json(const sow_campaign *c, sow_index round)
{
    const sow_cells *t = &c->cells->table;
    const sow_i_controls *r = &c->here->controls[round];
    sow_index cells = 0, batches = 0;
    for (sow_index q = 0; q < c->n; q++)
        for (sow_index k = 0; k < c->here->item[q].n_draws; k++)
            if (c->here->item[q].draw[k].round == round) cells += c->here->item[q].draw[k].n;
    for (int32_t b = 0; b < (int32_t)sow_names_count(t->batches) || b == 0; b++) {
        int here = 0;
        for (sow_index i = 0; i < r->n_control && !here; i++)
            here = t->batch[r->control[i]] == b;
        batches += here;
    }
    return json_pack("{s:I,s:I,s:I,s:I}", "round", (json_int_t)round, "controls", (json_int_t)r->n_control, "cells", (json_int_t)cells, "batches",
                     (json_int_t)batches);
}

/* ---- one perturbation ---- */

/* The first of its own genes that the data have, or NULL. */
static const char *own_gene(const sow_campaign *c, sow_index q)
{
    const sow_perturbation *p = &c->screen->detail[q];
    for (sow_index i = 0; i < p->n_agents; i++)
        if (sow_names_find(c->cells->table.genes, p->agent[i]) >= 0) return p->agent[i];
    return NULL;
}

static void moments(double *mean, double *squared_error, const float *x, sow_index n, int is_log)
{
    double sum = 0, squares = 0;
    for (sow_index i = 0; i < n; i++) {
        double v = is_log ? expm1((double)x[i]) : (double)x[i];
        sum += v;
        squares += v * v;
    }
    *mean = sum / (double)n;
    *squared_error = n > 1 ? fmax(squares - sum * *mean, 0) / ((double)n * (double)(n - 1)) : (double)NAN;
}

static sow_status prepared_gene(float **x, const sow_campaign *c, const sow_preparation *p, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*x, n);
    SOW_TRY(sow_prepared_rows(*x, p, &c->cells->table, cell, n, c->env, err));
done:
    return st;
}

static sow_status gene_alone(sow_preparation *out, const sow_campaign *c, const char *gene, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *genes = NULL, *not_counted = NULL;
    const sow_names *all = c->cells->table.genes;
    SOW_TRY(sow_names_create(&genes, err));
    SOW_TRY(sow_names_create(&not_counted, err));
    SOW_TRY(sow_names_add(genes, gene, NULL, err));
    for (sow_index j = 0; j < sow_names_count(all); j++)
        if (!c->cells->space.counted[j] && strcmp(sow_names_get(all, j), gene) != 0) SOW_TRY(sow_names_add(not_counted, sow_names_get(all, j), NULL, err));
    SOW_TRY(sow_preparation_make(out, &c->cells->table, genes, not_counted, c->cells->space.target_sum, c->cells->space.log1p, err));
done:
    sow_names_destroy(genes);
    sow_names_destroy(not_counted);
    return st;
}

/* Share of the control's expression of its own gene that is gone; the interval is that of a ratio of means on the log scale. */
static sow_status put_knockdown(json_t *row, const sow_campaign *c, sow_index q, const sow_i_draw *draw, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *gene = own_gene(c, q);
    const sow_i_controls *r = &c->here->controls[draw->round];
    sow_preparation p = {0};
    float *x = NULL, *y = NULL;
    double a = NAN, ea = NAN, b = NAN, eb = NAN;
    if (gene && draw->n > 0 && r->n_control > 0) {
        int is_log = c->cells->space.log1p || isnan(c->cells->space.target_sum);
        SOW_TRY(gene_alone(&p, c, gene, err));
        SOW_TRY(prepared_gene(&x, c, &p, draw->cell, draw->n, err));
        SOW_TRY(prepared_gene(&y, c, &p, r->control, r->n_control, err));
        moments(&a, &ea, x, draw->n, is_log);
        moments(&b, &eb, y, r->n_control, is_log);
    }
    double ratio = b > 0 ? a / b : (double)NAN;
    double spread = a > 0 && b > 0 ? 1.96 * sqrt(ea / (a * a) + eb / (b * b)) : (double)NAN;
    json_object_set_new(row, "own_gene", json_boolean(gene != NULL));
    json_object_set_new(row, "knockdown", sow_i_real_or_null(1 - ratio));
    json_object_set_new(row, "knockdown_low", sow_i_real_or_null(1 - ratio * exp(spread)));
    json_object_set_new(row, "knockdown_high", sow_i_real_or_null(1 - ratio * exp(-spread)));
done:
    sow_preparation_clear(&p);
    free(x);
    free(y);
    return st;
}

static sow_status put_de_genes(json_t *row, const sow_campaign *c, sow_index q, const sow_i_draw *draw, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_controls *r = &c->here->controls[draw->round];
    float *x = NULL, *y = NULL;
    double *score = NULL, *p = NULL, *adjusted = NULL;
    sow_index start[2] = {0, draw->n}, own[SOW_I_MAX_OWN], n_own = sow_i_own_genes(own, c, q), count = 0;
    if (draw->n < 2 || r->n_control < 2) goto done;
    SOW_NEW(x, draw->n * c->d);
    SOW_NEW(y, r->n_control * c->d);
    SOW_NEW(score, c->d);
    SOW_NEW(p, c->d);
    SOW_NEW(adjusted, c->d);
    SOW_TRY(sow_prepared_rows(x, &c->cells->space, &c->cells->table, draw->cell, draw->n, c->env, err));
    SOW_TRY(sow_prepared_rows(y, &c->cells->space, &c->cells->table, r->control, r->n_control, c->env, err));
    SOW_TRY(sow_de(score, p, SOW_DE_WILCOXON_TIES, x, start, 1, y, r->n_control, c->d, c->env, err));
    for (sow_index k = 0; k < n_own; k++)
        p[own[k]] = NAN;
    SOW_TRY(sow_bh(adjusted, p, c->d, err));
    for (sow_index j = 0; j < c->d; j++)
        count += adjusted[j] < 0.05;
    json_object_set_new(row, "de_genes", json_integer((json_int_t)count));
done:
    free(x);
    free(y);
    free(score);
    free(p);
    free(adjusted);
    return st;
}

static sow_status labels_of(int32_t **out, const int32_t *label, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*out, n);
    for (sow_index i = 0; i < n; i++)
        (*out)[i] = label[cell[i]];
done:
    return st;
}

static sow_status put_consistency(json_t *row, const sow_campaign *c, sow_index q, const sow_i_draw *draw, int by_guide, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *t = &c->cells->table;
    const sow_i_controls *r = &c->here->controls[draw->round];
    const int32_t *label = by_guide ? t->guide : t->replicate;
    int32_t *part = NULL, *of_control = NULL;
    sow_index own[SOW_I_MAX_OWN], n_own = sow_i_own_genes(own, c, q);
    sow_consistency found = {0, NAN};
    if (sow_names_count(by_guide ? t->guides : t->replicates) > 1) {
        SOW_TRY(labels_of(&part, label, draw->cell, draw->n, err));
        if (!by_guide) SOW_TRY(labels_of(&of_control, label, r->control, r->n_control, err));
        SOW_TRY(sow_consistency_of(&found, &c->cells->space, t, draw->cell, part, draw->n, r->control, of_control, r->n_control, own, n_own, FEWEST_CELLS,
                                   c->env, err));
    }
    json_object_set_new(row, by_guide ? "guide_consistency" : "consistency", sow_i_real_or_null(found.correlation));
    json_object_set_new(row, by_guide ? "guides" : "replicates", json_integer((json_int_t)found.parts));
done:
    free(part);
    free(of_control);
    return st;
}

static sow_status perturbation_json(json_t **out, const sow_campaign *c, sow_index q, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_item *item = &c->here->item[q];
    const sow_i_pick *pick = sow_i_find_pick(&c->round[item->round], c->here - c->site, q);
    const sow_i_draw *draw = &item->draw[0];
    double size = item->values ? sow_i_effect(c, q, item->values) : (double)NAN;
    char *label = sow_i_label(c, sow_i_pair(c, c->here - c->site, q));
    *out = json_pack("{s:s,s:I,s:I,s:I,s:s,s:s,s:o,s:n}", "perturbation", label ? label : "", "round", (json_int_t)item->round, "planned",
                     (json_int_t)(pick ? pick->planned_cells : 0), "cells", (json_int_t)item->cells, "outcome",
                     item->status == SOW_DONE_PARTIAL ? "partial" : "measured", "reason", pick && pick->note ? pick->note : "", "effect",
                     sow_i_real_or_null(size), "de_genes");
    free(label);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(put_knockdown(*out, c, q, draw, err));
    SOW_TRY(put_de_genes(*out, c, q, draw, err));
    SOW_TRY(put_consistency(*out, c, q, draw, 0, err));
    SOW_TRY(put_consistency(*out, c, q, draw, 1, err));
done:
    return st;
}

static sow_status add_perturbations(json_t *rows, const sow_campaign *c, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index q = 0; q < c->n; q++) {
        json_t *row = NULL;
        if (c->here->item[q].round != round || c->here->item[q].n_draws == 0) continue;
        st = perturbation_json(&row, c, q, err);
        if (st == SOW_OK) json_array_append(rows, row);
        json_decref(row);
        SOW_TRY(st);
    }
done:
    return st;
}

sow_status sow_i_put_cells(json_t *out, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *rounds = NULL, *rows = NULL, *contexts = NULL;
    if (!c->cells || !c->cells->frozen) return SOW_OK;
    rounds = json_array();
    rows = json_array();
    for (sow_index r = 0; r < c->n_rounds; r++)
        for (sow_index s = 0; s < c->n_sites; s++) {
            sow_i_go(c, s);
            if (c->here->controls[r].n_control > 0) json_array_append_new(rounds, round_json(c, r));
            SOW_TRY(add_perturbations(rows, c, r, err));
        }
    sow_i_go(c, 0);
    SOW_TRY(sow_i_contexts_json(&contexts, c, err));
    json_t *cells = json_pack("{s:o,s:O,s:O,s:s}", "space", space_json(c), "rounds", rounds, "perturbations", rows, "de_rule", de_rule);
    if (contexts) json_object_set(cells, "contexts", contexts);
    json_object_set_new(out, "cells", cells);
done:
    sow_i_go(c, 0);
    json_decref(rounds);
    json_decref(rows);
    json_decref(contexts);
    return st;
}
