/* Priors laid over the catalogue. Every number that is fitted (means, deviations) comes from rows of the pool; held-out perturbations are looked
 * up and transformed only. */
#include "io/priors_internal.h"

#include "core/memory.h"
#include "core/rng.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the raw prior that speak for one item: its own name, or else its agents'. Returns how many; row [>= n_agents, >= 1]. */
static sow_index rows_of_item(sow_index *row, const sow_i_raw_prior *raw, const unsigned char *usable, const sow_screen *screen, sow_index item)
{
    const sow_perturbation *p = &screen->detail[item];
    sow_index n = 0, own = sow_names_find(raw->names, sow_names_get(screen->perturbations, item));
    if (own >= 0) {
        if (usable && !usable[own]) return 0;
        row[0] = own;
        return 1;
    }
    for (sow_index k = 0; k < p->n_agents; k++) {
        sow_index at = sow_names_find(raw->names, p->agent[k]);
        int twice = 0; /* one agent at two doses */
        for (sow_index m = 0; m < n; m++) twice |= row[m] == at;
        if (at >= 0 && !twice && (!usable || usable[at])) row[n++] = at;
    }
    return n;
}

static sow_index most_agents(const sow_screen *screen)
{
    sow_index most = 1;
    for (sow_index i = 0; i < sow_screen_n_perturbations(screen); i++)
        if (screen->detail[i].n_agents > most) most = screen->detail[i].n_agents;
    return most;
}

/* ---- dense ---- */

/* An all-zero row is how files write "unknown". */
static sow_status find_zero_rows(unsigned char **usable, sow_index *n_zero, const sow_i_raw_prior *raw, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = sow_names_count(raw->names);
    SOW_NEW(*usable, n);
    *n_zero = 0;
    for (sow_index i = 0; i < n; i++) {
        for (sow_index j = 0; j < raw->dim && !(*usable)[i]; j++) (*usable)[i] = raw->x[i * raw->dim + j] != 0;
        *n_zero += !(*usable)[i];
    }
done:
    return st;
}

static sow_status lay_dense(sow_prior *p, sow_index *zero_rows, const sow_i_raw_prior *raw, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *usable = NULL;
    sow_index *row = NULL, d = raw->dim;
    SOW_TRY(find_zero_rows(&usable, zero_rows, raw, err));
    SOW_NEW(row, most_agents(screen));
    SOW_NEW(p->x, p->n_items * d);
    p->dim = d;
    for (sow_index i = 0; i < p->n_items; i++) {
        sow_index n = rows_of_item(row, raw, usable, screen, i);
        p->has[i] = n > 0;
        for (sow_index k = 0; k < n; k++)
            for (sow_index j = 0; j < d; j++) p->x[i * d + j] += raw->x[row[k] * d + j] / (double)n;
    }
    if (raw->columns) SOW_TRY(sow_names_create(&p->columns, err));
    for (sow_index j = 0; raw->columns && j < d; j++) SOW_TRY(sow_names_add(p->columns, sow_names_get(raw->columns, j), NULL, err));
done:
    free(usable);
    free(row);
    return st;
}

/* What to multiply each column by, from its standard deviation `scale` [d] (0 = constant), in place. The columns of an embedding or a layout share
 * one unit, and their relative sizes mean something: one factor for all. A few columns of very different size are different quantities:
 * each by its own. On the K562 screen one factor gave .005 more held-out Spearman than each by its own (10 seeds). */
static void factors(double *scale, sow_index d)
{
    enum { FEW = 8 };
    const double far_apart = 10;
    double low = INFINITY, high = 0, total = 0, n = 0;
    for (sow_index j = 0; j < d; j++) {
        if (!(scale[j] > 0)) continue;
        low = fmin(low, scale[j]);
        high = fmax(high, scale[j]);
        total += scale[j] * scale[j];
        n++;
    }
    const int each = d <= FEW && high > far_apart * low;
    for (sow_index j = 0; j < d; j++)
        if (scale[j] > 0) scale[j] = each ? 1 / scale[j] : sqrt(n / total);
}

/* Centre every column and scale it, by means and deviations over the pool's rows; a constant column becomes 0. */
static sow_status scale_dense(sow_prior *p, const unsigned char *in_pool, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = p->dim, n = 0;
    double *mean = NULL, *square = NULL;
    SOW_NEW(mean, d);
    SOW_NEW(square, d);
    for (sow_index i = 0; i < p->n_items; i++) {
        if (!p->has[i] || (in_pool && !in_pool[i])) continue;
        n++;
        for (sow_index j = 0; j < d; j++) mean[j] += p->x[i * d + j];
    }
    for (sow_index j = 0; j < d; j++) mean[j] /= n > 0 ? (double)n : 1;
    for (sow_index i = 0; i < p->n_items; i++) {
        if (!p->has[i]) continue;
        for (sow_index j = 0; j < d; j++) {
            double x = p->x[i * d + j] -= mean[j];
            if (!in_pool || in_pool[i]) square[j] += x * x;
        }
    }
    for (sow_index j = 0; j < d; j++) {
        double deviation = n > 1 ? sqrt(square[j] / (double)(n - 1)) : 1;
        square[j] = deviation > 1e-12 * (1 + fabs(mean[j])) ? deviation : 0;
    }
    factors(square, d);
    for (sow_index i = 0; i < p->n_items; i++)
        for (sow_index j = 0; p->has[i] && j < d; j++) p->x[i * d + j] *= square[j];
done:
    free(mean);
    free(square);
    return st;
}

/* ---- sets ---- */

/* Sets by member: the sets of member m are set[start[m] .. start[m + 1]), ascending. */
typedef struct {
    sow_index *start, *set;
} inverse;

static sow_status invert(inverse *out, const sow_gmt *g, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n_sets = sow_names_count(g->sets), n = sow_names_count(g->members);
    SOW_NEW(out->start, n + 2);
    SOW_NEW(out->set, g->start[n_sets]);
    for (sow_index e = 0; e < g->start[n_sets]; e++) out->start[g->member[e] + 2]++;
    for (sow_index m = 0; m < n; m++) out->start[m + 2] += out->start[m + 1];
    for (sow_index s = 0; s < n_sets; s++)
        for (sow_index e = g->start[s]; e < g->start[s + 1]; e++) out->set[out->start[g->member[e] + 1]++] = s;
done:
    return st;
}

static int by_index(const void *pa, const void *pb)
{
    sow_index a = *(const sow_index *)pa, b = *(const sow_index *)pb;
    return a < b ? -1 : a > b;
}

static sow_index sort_unique(sow_index *a, sow_index n)
{
    sow_index kept = 0;
    if (n > 0) qsort(a, (size_t)n, sizeof *a, by_index);
    for (sow_index i = 0; i < n; i++)
        if (kept == 0 || a[kept - 1] != a[i]) a[kept++] = a[i];
    return kept;
}

/* The union of the sets of an item's agents, by the file's set numbers; start [n_items + 1]. */
static sow_status unite(sow_prior *p, const sow_i_raw_prior *raw, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    inverse by_member = {0};
    sow_index *row = NULL, n = 0, capacity = 0;
    SOW_TRY(invert(&by_member, raw->gmt, err));
    SOW_NEW(row, most_agents(screen));
    SOW_NEW(p->start, p->n_items + 1);
    for (sow_index i = 0; i < p->n_items; i++) {
        sow_index n_rows = rows_of_item(row, raw, NULL, screen, i), first = n;
        for (sow_index k = 0; k < n_rows; k++) {
            sow_index from = by_member.start[row[k]], to = by_member.start[row[k] + 1];
            SOW_TRY(sow_grow(&p->member, &capacity, n + (to - from) + 1, sizeof *p->member, err));
            for (sow_index e = from; e < to; e++) p->member[n++] = by_member.set[e];
        }
        if (n_rows > 0) n = first + sort_unique(p->member + first, n - first);
        p->start[i + 1] = n;
    }
done:
    free(by_member.start);
    free(by_member.set);
    free(row);
    return st;
}

/* Only sets of an allowed size in the catalogue stay; they are numbered in the file's order. */
static sow_status keep_sets(sow_prior *p, const sow_i_raw_prior *raw, const sow_prior_spec *spec, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *size = NULL, *id = NULL, least = spec->min_set_size > 1 ? spec->min_set_size : 1, n = 0;
    SOW_NEW(size, raw->dim);
    SOW_NEW(id, raw->dim);
    SOW_TRY(sow_names_create(&p->columns, err));
    for (sow_index e = 0; e < p->start[p->n_items]; e++) size[p->member[e]]++;
    for (sow_index s = 0; s < raw->dim; s++) {
        id[s] = -1;
        if (size[s] < least || (spec->max_set_size > 0 && size[s] > spec->max_set_size)) continue;
        SOW_TRY(sow_names_add(p->columns, sow_names_get(raw->columns, s), &id[s], err));
    }
    p->dim = sow_names_count(p->columns);
    for (sow_index i = 0, from = 0; i < p->n_items; i++) {
        sow_index to = p->start[i + 1], first = n;
        for (; from < to; from++)
            if (id[p->member[from]] >= 0) p->member[n++] = id[p->member[from]];
        p->start[i + 1] = n;
        p->has[i] = n > first;
    }
done:
    free(size);
    free(id);
    return st;
}

static sow_status lay_sets(sow_prior *p, const sow_i_raw_prior *raw, const sow_prior_spec *spec, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(unite(p, raw, screen, err));
    sow_index before = p->start[p->n_items];
    SOW_TRY(keep_sets(p, raw, spec, err));
    if (before > 0 && p->dim == 0)
        SOW_FAIL(err, SOW_E_DATA, "prior '%s': none of its %lld sets has %lld or more members among the perturbations%s", p->name,
                 (long long)raw->dim, (long long)(spec->min_set_size > 1 ? spec->min_set_size : 1),
                 spec->max_set_size > 0 ? " (or all are above max_set_size)" : "");
done:
    return st;
}

/* ---- the shuffled control ---- */

static sow_status shuffle_sets(sow_prior *p, const sow_index *from, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *start = NULL, *member = NULL;
    SOW_NEW(start, p->n_items + 1);
    SOW_NEW(member, p->start[p->n_items]);
    for (sow_index i = 0; i < p->n_items; i++) {
        sow_index size = p->start[from[i] + 1] - p->start[from[i]];
        if (size > 0) memcpy(member + start[i], p->member + p->start[from[i]], (size_t)size * sizeof *member);
        start[i + 1] = start[i] + size;
    }
    free(p->start);
    free(p->member);
    p->start = start;
    p->member = member;
    start = member = NULL;
done:
    free(start);
    free(member);
    return st;
}

static sow_status shuffle_dense(sow_prior *p, const sow_index *from, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    SOW_NEW(x, p->n_items * p->dim);
    for (sow_index i = 0; i < p->n_items; i++)
        memcpy(x + i * p->dim, p->x + from[i] * p->dim, (size_t)p->dim * sizeof *x);
    free(p->x);
    p->x = x;
done:
    return st;
}

/* Rows, and their absence, change hands among all items: who is unknown to a prior tells something too. */
static sow_status shuffle(sow_prior *p, uint64_t seed, sow_index number, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *from = NULL;
    unsigned char *has = NULL;
    sow_rng rng = sow_rng_make(seed, SOW_RNG_SHUFFLE, 0, (uint32_t)number);
    SOW_NEW(from, p->n_items);
    SOW_NEW(has, p->n_items);
    for (sow_index i = 0; i < p->n_items; i++) from[i] = i;
    sow_rng_permute(&rng, from, p->n_items);
    SOW_TRY(p->kind == SOW_PRIOR_SETS ? shuffle_sets(p, from, err) : shuffle_dense(p, from, err));
    for (sow_index i = 0; i < p->n_items; i++) has[i] = p->has[from[i]];
    memcpy(p->has, has, (size_t)p->n_items);
done:
    free(from);
    free(has);
    return st;
}

/* ---- one prior ---- */

static sow_status fill_coverage(sow_prior_coverage *c, const sow_prior *p, const sow_i_raw_prior *raw, const sow_screen *screen,
                                sow_index zero_rows, sow_error *err)
{
    sow_status st = SOW_OK;
    const char **missing = NULL;
    sow_index n = 0;
    SOW_NEW(missing, p->n_items);
    for (sow_index i = 0; i < p->n_items; i++)
        if (!p->has[i]) missing[n++] = sow_names_get(screen->perturbations, i);
    c->rows = sow_names_count(raw->names);
    c->dim = p->dim;
    c->covered = p->n_items - n;
    c->zero_rows = zero_rows;
    c->name = sow_strdup(p->name);
    c->missing = sow_i_name_list(missing, n, 20);
    if (!c->name || !c->missing) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    free(missing);
    return st;
}

static sow_status check_overlap(const sow_prior *p, const sow_i_raw_prior *raw, const sow_prior_spec *spec, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    char *theirs = NULL, *ours = NULL;
    for (sow_index i = 0; i < p->n_items; i++)
        if (p->has[i]) return SOW_OK;
    theirs = sow_i_quoted_names(raw->names, 3);
    ours = sow_i_quoted_names(screen->perturbations, 3);
    SOW_FAIL(err, SOW_E_DATA, "prior '%s' (%s) has a row for none of the %lld perturbations: it names %s, the data name %s; check its key column and the kind of names",
             p->name, spec->file ? spec->file : spec->context, (long long)p->n_items, theirs ? theirs : "", ours ? ours : "");
done:
    free(theirs);
    free(ours);
    return st;
}

static sow_status read_prior(sow_prior *p, sow_prior_coverage *coverage, const sow_prior_spec *spec, sow_index number, const sow_screen *screen,
                             const unsigned char *in_pool, uint64_t seed, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_raw_prior raw = {0};
    sow_index zero_rows = 0;
    p->n_items = sow_screen_n_perturbations(screen);
    p->name = sow_strdup(spec->name ? spec->name : spec->context ? spec->context : sow_i_basename(spec->file ? spec->file : "prior"));
    if (!p->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(p->has, p->n_items);
    SOW_TRY(sow_i_prior_read(&raw, spec, screen, err));
    p->kind = raw.kind;
    if (raw.kind == SOW_PRIOR_SETS)
        SOW_TRY(lay_sets(p, &raw, spec, screen, err));
    else
        SOW_TRY(lay_dense(p, &zero_rows, &raw, screen, err));
    SOW_TRY(check_overlap(p, &raw, spec, screen, err));
    if (spec->shuffle) SOW_TRY(shuffle(p, seed, number, err));
    if (raw.kind == SOW_PRIOR_DENSE) SOW_TRY(scale_dense(p, in_pool, err));
    if (coverage) SOW_TRY(fill_coverage(coverage, p, &raw, screen, zero_rows, err));
done:
    sow_i_raw_prior_clear(&raw);
    return st;
}

/* ---- all priors ---- */

static sow_status copy_given(sow_prior *p, const sow_prior *given, sow_index n_items, sow_error *err)
{
    sow_status st = SOW_OK;
    if (given->n_items != n_items)
        SOW_FAIL(err, SOW_E_SHAPE, "prior '%s' has %lld rows for %lld perturbations", given->name, (long long)given->n_items, (long long)n_items);
    p->name = sow_strdup(given->name);
    if (!p->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    p->kind = given->kind;
    p->n_items = n_items;
    p->dim = given->dim;
    SOW_NEW(p->has, n_items);
    memcpy(p->has, given->has, (size_t)n_items);
    if (given->kind == SOW_PRIOR_DENSE) {
        SOW_NEW(p->x, n_items * p->dim);
        memcpy(p->x, given->x, (size_t)(n_items * p->dim) * sizeof *p->x);
    } else {
        sow_index n = given->start[n_items];
        SOW_NEW(p->start, n_items + 1);
        memcpy(p->start, given->start, (size_t)(n_items + 1) * sizeof *p->start);
        SOW_NEW(p->member, n);
        if (n > 0) memcpy(p->member, given->member, (size_t)n * sizeof *p->member);
    }
    if (given->columns) SOW_TRY(sow_names_create(&p->columns, err));
    for (sow_index j = 0; given->columns && j < sow_names_count(given->columns); j++)
        SOW_TRY(sow_names_add(p->columns, sow_names_get(given->columns, j), NULL, err));
done:
    return st;
}

sow_status sow_priors_read(sow_prior_set *out, sow_prior_coverage *coverage, const sow_prior_spec *specs, sow_index n, const sow_screen *screen,
                           const unsigned char *in_pool, sow_index prior_dims, uint64_t seed, const sow_prior *given, const sow_env *env,
                           sow_error *err)
{
    sow_status st = SOW_OK;
    memset(out, 0, sizeof *out);
    if (coverage) memset(coverage, 0, (size_t)n * sizeof *coverage);
    out->n_items = sow_screen_n_perturbations(screen);
    SOW_NEW(out->priors, n + 1);
    for (sow_index k = 0; k < n; k++) {
        SOW_TRY(sow_progress(env, "reading priors", (double)k / (double)(n + 1), err));
        out->n_priors = k + 1; /* so that a half-read prior is freed */
        SOW_TRY(read_prior(&out->priors[k], coverage ? &coverage[k] : NULL, &specs[k], k, screen, in_pool, seed, err));
    }
    if (given) {
        out->n_priors = n + 1;
        SOW_TRY(copy_given(&out->priors[n], given, out->n_items, err));
    }
    SOW_TRY(sow_i_priors_fuse(out, in_pool, prior_dims, env, err));
    SOW_TRY(sow_progress(env, "reading priors", 1, err));
done:
    if (st != SOW_OK) {
        sow_prior_set_clear(out);
        for (sow_index k = 0; coverage && k < n; k++) sow_prior_coverage_clear(&coverage[k]);
    }
    return st;
}

void sow_prior_coverage_clear(sow_prior_coverage *c)
{
    free(c->name);
    free(c->missing);
    memset(c, 0, sizeof *c);
}
