/* Single cells: who is in the file, counted by context and perturbation, and what a campaign could plan with. */
#include "io/inspect_internal.h"

#include "core/memory.h"
#include "io/source_internal.h"
#include "io/text_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 4 };

typedef struct {
    sow_names *contexts, *perturbations, *batches;
    sow_names *spellings;   /* the values of the perturbation column ... */
    sow_index *meaning;     /* ... [capacity] and what they mean: a perturbation, SOW_I_CONTROL or SOW_I_NOBODY */
    sow_index n_meanings, capacity;
    sow_index n, *context, *perturbation, *batch; /* [n] of each labelled cell */
} census;
enum { SOW_I_CONTROL = -1, SOW_I_NOBODY = -2 };

static void close_census(census *c)
{
    sow_names_destroy(c->contexts);
    sow_names_destroy(c->perturbations);
    sow_names_destroy(c->batches);
    sow_names_destroy(c->spellings);
    free(c->meaning);
    free(c->context);
    free(c->perturbation);
    free(c->batch);
}

/* ---- reading ---- */

static sow_status new_meaning(sow_index *out, census *c, const sow_inspection *in, const char *text, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_spelling spelling = {in->separator, in->control, in->separator};
    sow_perturbation detail = {0};
    char *name = NULL;
    *out = SOW_I_CONTROL;
    SOW_TRY(sow_i_perturbation_parse(&name, &detail, text, NULL, &spelling, in->path, err));
    if (name) SOW_TRY(sow_names_add(c->perturbations, name, out, err));
done:
    free(name);
    sow_i_perturbation_clear(&detail);
    return st;
}

static sow_status meaning_of(sow_index *out, census *c, const sow_inspection *in, const char *text, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index at = 0;
    *out = SOW_I_NOBODY;
    if (sow_i_is_missing(text)) return SOW_OK;
    SOW_TRY(sow_names_add(c->spellings, text, &at, err));
    if (at == c->n_meanings) {
        SOW_TRY(sow_grow(&c->meaning, &c->capacity, at + 1, sizeof *c->meaning, err));
        SOW_TRY(new_meaning(&c->meaning[at], c, in, text, err));
        c->n_meanings++;
    }
    *out = c->meaning[at];
done:
    return st;
}

static sow_status place_of(sow_index *out, sow_names *names, const sow_i_frame *f, sow_index row, sow_index column, const char *fixed, sow_error *err)
{
    char buffer[40];
    return sow_names_add(names, column >= 0 ? sow_i_frame_text(f, row, column, buffer) : fixed, out, err);
}

static sow_status take_census(census *c, const sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index who = sow_i_frame_find(f, in->perturbation_column);
    const sow_index where = in->context_column ? sow_i_frame_find(f, in->context_column) : -1;
    const sow_index batch = in->batch_column ? sow_i_frame_find(f, in->batch_column) : -1;
    SOW_TRY(sow_names_create(&c->contexts, err));
    SOW_TRY(sow_names_create(&c->perturbations, err));
    SOW_TRY(sow_names_create(&c->batches, err));
    SOW_TRY(sow_names_create(&c->spellings, err));
    SOW_NEW(c->context, f->n_rows);
    SOW_NEW(c->perturbation, f->n_rows);
    SOW_NEW(c->batch, f->n_rows);
    for (sow_index i = 0; i < f->n_rows; i++) {
        char buffer[40];
        SOW_TRY(meaning_of(&c->perturbation[c->n], c, in, sow_i_frame_text(f, i, who, buffer), err));
        if (c->perturbation[c->n] == SOW_I_NOBODY) continue;
        SOW_TRY(place_of(&c->context[c->n], c->contexts, f, i, where, in->context, err));
        SOW_TRY(place_of(&c->batch[c->n], c->batches, f, i, batch, "all", err));
        c->n++;
    }
done:
    return st;
}

/* ---- contexts ---- */

static int by_size(const void *a, const void *b)
{
    const sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

/* `count` [n] cells of each perturbation; it is sorted. */
static void describe_context(sow_inspect_context *x, sow_index *count, sow_index n)
{
    qsort(count, (size_t)n, sizeof *count, by_size);
    sow_index absent = 0;
    while (absent < n && count[absent] == 0)
        absent++;
    const sow_index *present = count + absent, k = n - absent;
    x->perturbations = k;
    for (sow_index i = 0; i < k; i++)
        x->enough += present[i] >= SOW_INSPECT_ENOUGH;
    if (k == 0) return;
    x->low = present[0];
    x->high = present[k - 1];
    x->median = (present[(k - 1) / 2] + present[k / 2]) / 2;
}

static sow_status describe_contexts(sow_inspection *in, const census *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index p = sow_names_count(c->perturbations), n = sow_names_count(c->contexts);
    sow_index *count = NULL;
    SOW_NEW(in->context_found, n);
    SOW_NEW(count, n * p);
    for (sow_index i = 0; i < c->n; i++) {
        sow_inspect_context *x = &in->context_found[c->context[i]];
        x->cells++;
        if (c->perturbation[i] == SOW_I_CONTROL) x->controls++;
        else count[c->context[i] * p + c->perturbation[i]]++;
    }
    for (sow_index i = 0; i < n; i++) {
        in->n_contexts = i + 1;
        describe_context(&in->context_found[i], count + i * p, p);
        in->context_found[i].name = sow_strdup(sow_names_get(c->contexts, i));
        if (!in->context_found[i].name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    in->n_perturbations = p;
done:
    free(count);
    return st;
}

/* Controls for every round, and somebody to plan with. */
static int can_be_target(const sow_inspect_context *x)
{
    return x->controls >= 2 * ROUNDS && x->enough >= 2;
}

static sow_status choose_contexts(sow_inspection *in, sow_error *err)
{
    sow_status st = SOW_OK;
    in->target = -1;
    for (sow_index i = 0; i < in->n_contexts; i++) {
        const sow_inspect_context *x = &in->context_found[i], *best = in->target < 0 ? NULL : &in->context_found[in->target];
        if (!can_be_target(x)) continue;
        if (!best || x->enough > best->enough || (x->enough == best->enough && x->cells > best->cells)) in->target = i;
    }
    if (in->target < 0) goto done;
    SOW_NEW(in->reference, in->n_contexts);
    for (sow_index i = 0; i < in->n_contexts; i++)
        if (i != in->target && in->context_found[i].controls >= 2 && in->context_found[i].enough > 0)
            in->reference[in->n_references++] = in->context_found[i].name;
done:
    return st;
}

/* ---- technical batches ---- */

/* A column that leaves a tenth of the target's cells in batches without controls for every round does more harm than good. */
static sow_status judge_batches(sow_inspection *in, const census *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = sow_names_count(c->batches);
    sow_index *cells = NULL, *controls = NULL, all = 0, alone = 0;
    if (!in->batch_column || in->target < 0) goto done;
    SOW_NEW(cells, n);
    SOW_NEW(controls, n);
    for (sow_index i = 0; i < c->n; i++) {
        if (c->context[i] != in->target) continue;
        if (c->perturbation[i] == SOW_I_CONTROL) controls[c->batch[i]]++;
        else cells[c->batch[i]]++;
    }
    for (sow_index b = 0; b < n; b++) {
        all += cells[b];
        if (controls[b] < 2 * ROUNDS) alone += cells[b];
    }
    if (10 * alone > all) {
        free(in->batch_column);
        in->batch_column = NULL;
    }
done:
    free(cells);
    free(controls);
    return st;
}

sow_status sow_i_inspect_labels(sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    census c = {0};
    in->target = -1;
    if (!in->perturbation_column) goto done;
    SOW_TRY(take_census(&c, in, f, err));
    SOW_TRY(describe_contexts(in, &c, err));
    SOW_TRY(choose_contexts(in, err));
    SOW_TRY(judge_batches(in, &c, err));
done:
    close_census(&c);
    return st;
}
