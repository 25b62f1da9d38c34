#include "io/sheet.h"

#include "core/memory.h"
#include "core/names.h"
#include "core/rng.h"
#include "io/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WELLS = 96, WELL_COLUMNS = 12 };

void sow_batch_csv(sow_text *out, const sow_batch_row *rows, sow_index n)
{
    sow_text_append(out, "rank,perturbation,context,score,strategy,reason,planned_cells,cost\n");
    for (sow_index i = 0; i < n; i++) {
        const sow_batch_row *r = &rows[i];
        sow_text_printf(out, "%lld,", (long long)r->rank);
        sow_text_csv(out, r->perturbation);
        sow_text_append(out, ",");
        sow_text_csv(out, r->context);
        sow_text_append(out, ",");
        sow_text_number(out, r->score);
        sow_text_append(out, ",");
        sow_text_csv(out, r->strategy);
        sow_text_append(out, ",");
        sow_text_csv(out, r->reason);
        sow_text_printf(out, ",%lld,", (long long)r->planned_cells);
        sow_text_number(out, r->cost);
        sow_text_append(out, "\n");
    }
}

/* ---- the guide library */

typedef struct {
    sow_index target;
    const char *id, *sequence; /* borrowed from the table */
} guide;

struct sow_guides {
    sow_table *table;
    sow_names *targets;
    guide *guide; /* in the table's order */
    sow_index n, capacity;
    sow_index *first, *order; /* guides of target t: order[first[t]] .. order[first[t + 1] - 1] */
};

void sow_guides_destroy(sow_guides *g)
{
    if (!g) return;
    sow_table_destroy(g->table);
    sow_names_destroy(g->targets);
    free(g->guide);
    free(g->first);
    free(g->order);
    free(g);
}

/* The guides of one row: a pair with neither id nor sequence is an empty cell of the library. */
static sow_status take_row(sow_guides *g, sow_index row, sow_index target_column, const sow_index *id, const sow_index *sequence,
                           sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *name = sow_table_cell(g->table, row, target_column);
    sow_index target;
    if (!*name) return SOW_OK;
    SOW_TRY(sow_names_add(g->targets, name, &target, err));
    for (sow_index i = 0; i < n; i++) {
        guide one = {target, sow_table_cell(g->table, row, id[i]), sow_table_cell(g->table, row, sequence[i])};
        if (!*one.id && !*one.sequence) continue;
        if (!*one.id || !*one.sequence)
            SOW_FAIL(err, SOW_E_DATA, "%s:%lld: a guide for '%s' has no %s", sow_table_path(g->table),
                     (long long)sow_table_line(g->table, row), name, *one.id ? "sequence" : "id");
        SOW_TRY(sow_grow(&g->guide, &g->capacity, g->n + 1, sizeof *g->guide, err));
        g->guide[g->n++] = one;
    }
done:
    return st;
}

/* Counting sort of the guides by target, the table's order kept. */
static sow_status index_by_target(sow_guides *g, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *next = NULL, targets = sow_names_count(g->targets);
    SOW_NEW(g->first, targets + 1);
    SOW_NEW(g->order, g->n);
    SOW_NEW(next, targets + 1);
    for (sow_index i = 0; i < g->n; i++)
        g->first[g->guide[i].target + 1]++;
    for (sow_index t = 0; t < targets; t++)
        g->first[t + 1] += g->first[t];
    memcpy(next, g->first, (size_t)(targets + 1) * sizeof *next);
    for (sow_index i = 0; i < g->n; i++)
        g->order[next[g->guide[i].target]++] = i;
done:
    free(next);
    return st;
}

sow_status sow_guides_read(sow_guides **out, const char *path, const char *target, const char *const *id, sow_index n_id,
                           const char *const *sequence, sow_index n_sequence, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_guides *g = NULL;
    sow_index target_column = 0, *id_column = NULL, *sequence_column = NULL;
    *out = NULL;
    if (n_id != n_sequence || n_id < 1)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: %lld guide id columns and %lld sequence columns; they go in pairs, at least one", path,
                 (long long)n_id, (long long)n_sequence);
    SOW_NEW(g, 1);
    SOW_NEW(id_column, n_id);
    SOW_NEW(sequence_column, n_id);
    SOW_TRY(sow_table_read(&g->table, path, err));
    SOW_TRY(sow_names_create(&g->targets, err));
    SOW_TRY(sow_table_column(&target_column, g->table, target, err));
    for (sow_index i = 0; i < n_id; i++) {
        SOW_TRY(sow_table_column(&id_column[i], g->table, id[i], err));
        SOW_TRY(sow_table_column(&sequence_column[i], g->table, sequence[i], err));
    }
    for (sow_index row = 0; row < sow_table_n_rows(g->table); row++)
        SOW_TRY(take_row(g, row, target_column, id_column, sequence_column, n_id, err));
    if (g->n == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no guide in it", path);
    SOW_TRY(index_by_target(g, err));
    *out = g;
    g = NULL;
done:
    sow_guides_destroy(g);
    free(id_column);
    free(sequence_column);
    return st;
}

/* Guides of a target: how many, and where they start in `order`. */
static sow_index guides_of(const sow_guides *g, const char *target, sow_index *start)
{
    sow_index t = g ? sow_names_find(g->targets, target) : -1;
    if (t < 0) return 0;
    *start = g->first[t];
    return g->first[t + 1] - g->first[t];
}

/* ---- the order sheet */

typedef struct {
    const char *perturbation, *context, *role, *guide, *sequence; /* guide NULL = `number` */
    sow_index number, cells;
} order_line;

typedef struct {
    order_line *line;
    sow_index n, capacity;
    const sow_design *design;
    const sow_guides *guides;
    sow_text *missing;
    sow_names *missed; /* each is said once, though it may be ordered in several contexts */
    sow_error *err;
} order;

static const char non_targeting[] = "non-targeting";

/* Lines of one perturbation: `wanted` guides, its cells split into whole numbers that add up. A library's guides repeat only when
 * `repeat`. */
static sow_status add_lines(order *o, const char *perturbation, const char *context, const char *role, sow_index wanted,
                            sow_index cells, int repeat)
{
    sow_status st = SOW_OK;
    sow_index start = 0, there = guides_of(o->guides, perturbation, &start);
    sow_index n = there && !repeat && there < wanted ? there : wanted;
    for (sow_index i = 0; i < n; i++) {
        const guide *g = there ? &o->guides->guide[o->guides->order[start + i % there]] : NULL;
        SOW_TRY(sow_grow(&o->line, &o->capacity, o->n + 1, sizeof *o->line, o->err));
        o->line[o->n++] = (order_line){.perturbation = perturbation,
                                       .context = context,
                                       .role = role,
                                       .guide = g ? g->id : NULL,
                                       .sequence = g ? g->sequence : "",
                                       .number = i + 1,
                                       .cells = cells / n + (i < cells % n)};
    }
    if (o->guides && !there && o->missed && sow_names_find(o->missed, perturbation) < 0) {
        SOW_TRY(sow_names_add(o->missed, perturbation, NULL, o->err));
        if (o->missing->size) sow_text_append(o->missing, ", ");
        sow_text_append(o->missing, perturbation);
    }
done:
    return st;
}

/* Non-targeting lines of one context: control_share of all its cells, each line with about as many cells as a guide of a target. */
static sow_status add_non_targeting(order *o, const char *context, sow_index first_line)
{
    double share = o->design->control_share, cells = 0, lines = (double)(o->n - first_line);
    for (sow_index i = first_line; i < o->n; i++)
        cells += (double)o->line[i].cells;
    if (!(share > 0) || !(cells > 0)) return SOW_OK;
    double all = cells / (1 - share), wanted = ceil(all - 1e-12 * all) - cells; /* as the bill counts them (core/cost.c) */
    double k = o->design->control_guides > 0 ? fmin((double)o->design->control_guides, wanted) : round(wanted * lines / cells);
    return add_lines(o, non_targeting, context, non_targeting, k < 1 ? 1 : (sow_index)k, (sow_index)wanted, 1);
}

static sow_status add_context(order *o, const char *context, const sow_batch_row *rows, sow_index n, const char *const *controls,
                              sow_index n_controls)
{
    sow_status st = SOW_OK;
    sow_index first_line = o->n, guides = o->design->guides_per_target;
    for (sow_index i = 0; i < n; i++)
        if (strcmp(rows[i].context, context) == 0)
            SOW_TRY(add_lines(o, rows[i].perturbation, context, "target", guides, rows[i].planned_cells, 0));
    for (sow_index i = 0; i < n_controls; i++)
        SOW_TRY(add_lines(o, controls[i], context, "positive control", guides, o->design->cells_per_perturbation, 0));
    sow_names *missed = o->missed;
    o->missed = NULL; /* a library without non-targeting guides is nothing to warn of */
    st = add_non_targeting(o, context, first_line);
    o->missed = missed;
done:
    return st;
}

static void print_line(sow_text *out, const order_line *l, sow_index position, sow_index place)
{
    sow_text_printf(out, "%lld,", (long long)position);
    sow_text_csv(out, l->perturbation);
    sow_text_append(out, ",");
    sow_text_csv(out, l->context);
    sow_text_printf(out, ",%s,", l->role);
    if (l->guide)
        sow_text_csv(out, l->guide);
    else
        sow_text_printf(out, "%lld", (long long)l->number);
    sow_text_append(out, ",");
    sow_text_csv(out, l->sequence);
    sow_index well = place % WELLS;
    sow_text_printf(out, ",%lld,%lld,%c%d\n", (long long)l->cells, (long long)(place / WELLS + 1),
                    (char)('A' + well / WELL_COLUMNS), (int)(well % WELL_COLUMNS) + 1);
}

/* Wells are dealt by a shuffle of the places, so that neither rank nor role goes with a corner of the plate. */
static sow_status print_order(sow_text *out, const order *o, uint64_t seed, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *place = NULL;
    SOW_NEW(place, o->n);
    for (sow_index i = 0; i < o->n; i++)
        place[i] = i;
    sow_rng rng = sow_rng_make(seed, SOW_RNG_DESIGN, (uint32_t)round, 0);
    sow_rng_permute(&rng, place, o->n);
    sow_text_append(out, "position,perturbation,context,role,guide,sequence,cells,plate,well\n");
    for (sow_index i = 0; i < o->n; i++)
        print_line(out, &o->line[i], i + 1, place[i]);
done:
    free(place);
    return st;
}

sow_status sow_order_csv(sow_text *out, const sow_batch_row *rows, sow_index n, const char *const *controls, sow_index n_controls,
                         const sow_design *design, const sow_guides *library, uint64_t seed, sow_index round, sow_text *missing,
                         sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text aside = {0};
    sow_names *contexts = NULL;
    order o = {.design = design, .guides = library, .missing = missing ? missing : &aside, .err = err};
    SOW_TRY(sow_names_create(&contexts, err));
    SOW_TRY(sow_names_create(&o.missed, err));
    if (design->guides_per_target < 1 || !(design->control_share >= 0 && design->control_share < 1))
        SOW_FAIL(err, SOW_E_ARG, "an order needs guides_per_target >= 1 and control_share in [0, 1)");
    for (sow_index i = 0; i < n; i++)
        SOW_TRY(sow_names_add(contexts, rows[i].context, NULL, err));
    for (sow_index i = 0; i < sow_names_count(contexts); i++)
        SOW_TRY(add_context(&o, sow_names_get(contexts, i), rows, n, controls, n_controls));
    SOW_TRY(print_order(out, &o, seed, round, err));
    if (out->failed || o.missing->failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing an order sheet");
done:
    sow_text_clear(&aside);
    sow_names_destroy(contexts);
    sow_names_destroy(o.missed);
    free(o.line);
    return st;
}
