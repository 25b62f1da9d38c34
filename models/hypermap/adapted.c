/* Turning to the target, and asking. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/hypermap/row_internal.h"
#include "models/stacking.h"

enum { ROUNDS = 4, FEWEST_FOR_LEAVING_OUT = 5 }; /* rounds of shift and activities in turn; seeds below which leaving one out tells nothing of the mean */

void sow_i_hypermap_adapted_clear(sow_i_hypermap_adapted *a, sow_index n_members)
{
    for (sow_index b = 0; a->member && b < n_members; b++) sow_params_destroy(a->member[b]);
    free(a->member);
    free(a->shift);
    free(a->activity);
    free(a->covariance);
    *a = (sow_i_hypermap_adapted){0};
}

/* ---- the shift ---- */

/* The references' rows, context by context, cut into tiles of at most TILE of one context; of each the sum of what programs leave of its rows, and of the squares. */
enum { TILE = 128 };

typedef struct {
    const sow_i_hypermap_model *m;
    sow_index *row;              /* [rows] */
    sow_index *first, *context;  /* [tiles + 1], [tiles] */
    double *sum, *square;        /* [tiles, d] */
} shift_job;

static sow_status sum_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    const shift_job *j = user;
    const sow_i_hypermap_model *m = j->m;
    const sow_i_hypermap_space *s = &m->space;
    const sow_index n = j->first[tile + 1] - j->first[tile], d = s->d;
    double *r = NULL, *z = NULL;
    SOW_NEW(r, n * d);
    SOW_NEW(z, n * s->k);
    for (sow_index i = 0; i < n; i++) {
        const sow_index at = j->row[j->first[tile] + i];
        memcpy(r + i * d, s->t->y + at * d, (size_t)d * sizeof *r);
        if (!m->n_members) sow_programs_response(z + i * s->k, &m->programs, m->programs.activity + j->context[tile] * m->programs.rank, s->t->perturbation[at]);
    }
    if (!m->n_members) SOW_TRY(sow_gemm(NULL, 0, 0, n, d, s->k, -s->scale, z, s->k, s->components.components, d, 1, r, d, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index g = 0; g < d; g++) {
            j->sum[tile * d + g] += r[i * d + g];
            j->square[tile * d + g] += r[i * d + g] * r[i * d + g];
        }
done:
    free(r);
    free(z);
    return st;
}

/* Tiles of the references' rows; returns how many. */
static sow_index cut(shift_job *j, const sow_i_hypermap_space *s)
{
    sow_index tiles = 0, n = 0;
    for (sow_index c = 0; c < s->n_references; c++) {
        sow_index here = 0;
        for (sow_index i = 0; i < s->t->n; i++) {
            if (s->t->context[i] != s->context[c]) continue;
            if (here++ % TILE == 0) {
                j->context[tiles] = c;
                j->first[tiles++] = n;
            }
            j->row[n++] = i;
        }
    }
    j->first[tiles] = n;
    return tiles;
}

/* Variances by the moments of a one-way layout: contexts' means of n_c rows about their mean, rows about their context's mean. */
sow_status sow_i_hypermap_measure_shifts(sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    const sow_index contexts = s->n_references, d = s->d, most = s->t->n / TILE + contexts;
    shift_job j = {.m = m};
    double *mean = NULL, *all = NULL, *n = NULL, rows = 0, taken = 0;
    SOW_NEW(mean, contexts * d);
    SOW_NEW(all, d);
    SOW_NEW(n, contexts);
    SOW_NEW(j.row, s->t->n);
    SOW_NEW(j.first, most + 1);
    SOW_NEW(j.context, most);
    SOW_NEW(j.sum, most * d);
    SOW_NEW(j.square, most * d);
    SOW_NEW(m->rest_of, d);
    SOW_NEW(m->apart_of, d);
    const sow_index tiles = cut(&j, s);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, sum_tile, &j, err));
    for (sow_index t = 0; t < tiles; t++) {
        n[j.context[t]] += (double)(j.first[t + 1] - j.first[t]);
        sow_axpy(d, 1, j.square + t * d, m->rest_of);
        sow_axpy(d, 1, j.sum + t * d, mean + j.context[t] * d);
    }
    for (sow_index c = 0; c < contexts; c++) {
        for (sow_index g = 0; g < d; g++) {
            mean[c * d + g] /= n[c];
            m->rest_of[g] -= n[c] * mean[c * d + g] * mean[c * d + g];
            all[g] += mean[c * d + g] / (double)contexts;
        }
        rows += n[c];
        taken += 1 / (n[c] * (double)contexts);
    }
    for (sow_index c = 0; c < contexts; c++)
        for (sow_index g = 0; g < d; g++) m->apart_of[g] += (mean[c * d + g] - all[g]) * (mean[c * d + g] - all[g]);
    m->apart = m->rest = 0;
    for (sow_index g = 0; g < d; g++) {
        m->rest_of[g] = rows > (double)contexts ? fmax(m->rest_of[g], 0) / (rows - (double)contexts) : 0;
        m->apart_of[g] = contexts > 1 ? m->apart_of[g] / (double)(contexts - 1) - taken * m->rest_of[g] : 0;
        m->rest += m->rest_of[g];
        m->apart += m->apart_of[g];
    }
    m->apart = fmax(0, m->apart);
    if (contexts < 2 || rows <= (double)contexts) m->apart = m->rest = 0;
done:
    free(mean);
    free(all);
    free(n);
    free(j.row);
    free(j.first);
    free(j.context);
    free(j.sum);
    free(j.square);
    return st;
}

/* How much of the mean of few seeds is believed to be the target's shift: by how far apart other contexts are. */
static double share_of_few(const sow_i_hypermap_model *m, sow_index n)
{
    if (n == 0) return 0;
    const double noise = m->rest / (double)n;
    return m->apart + noise > 0 ? m->apart / (m->apart + noise) : 0.5;
}

/* What the target adds to all: r [n, d] what its items do beside what is said of each. The references' mean response, and of what sets the items' mean apart from it as much as predicts items that are left out. */
static sow_status believe(sow_i_hypermap_adapted *a, const sow_i_hypermap_model *m, const double *r, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    const sow_index d = s->d;
    double *apart = NULL, *products = NULL;
    SOW_NEW(apart, d);
    SOW_NEW(products, 3 * n);
    for (sow_index i = 0; i < n; i++)
        for (sow_index g = 0; g < d; g++) apart[g] += (r[i * d + g] - s->mean_response[g]) / (double)n;
    for (sow_index i = 0; i < n && n > 1; i++)
        for (sow_index g = 0; g < d; g++) {
            const double x = r[i * d + g] - s->mean_response[g], others = ((double)n * apart[g] - x) / (double)(n - 1);
            products[3 * i] += x * x;
            products[3 * i + 1] += x * others;
            products[3 * i + 2] += others * others;
        }
    a->believed = n >= FEWEST_FOR_LEAVING_OUT ? sow_i_best_share(products, n) : share_of_few(m, n);
    for (sow_index g = 0; g < d; g++) a->shift[g] = s->mean_response[g] + a->believed * apart[g];
done:
    free(apart);
    free(products);
    return st;
}

/* The target's items that are used: positions in the training. */
static sow_index list_seeds(sow_index *seed, const sow_training *t, const unsigned char *use)
{
    sow_index n = 0;
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] == t->target && (!use || use[i])) seed[n++] = i;
    return n;
}

/* ---- programs ---- */

/* Variance of a number of the shift after n seeds: what other contexts' means differ by, less what is believed. */
static double doubt(const sow_i_hypermap_model *m, sow_index n)
{
    const sow_programs *p = &m->programs;
    double sum = 0;
    if (p->contexts < 2) return p->noise;
    for (sow_index j = 0; j < p->k; j++) {
        double mean = 0;
        for (sow_index c = 0; c < p->contexts; c++) mean += p->mean[c * p->k + j] / (double)p->contexts;
        for (sow_index c = 0; c < p->contexts; c++) sum += (p->mean[c * p->k + j] - mean) * (p->mean[c * p->k + j] - mean);
    }
    return (1 - share_of_few(m, n)) * sum / (double)((p->contexts - 1) * p->k);
}

/* r [n, d]: the seeds' responses less what programs of these activities make of them. */
static void less_programs(double *r, const sow_i_hypermap_model *m, const sow_i_hypermap_adapted *a, const sow_index *seed, sow_index n, double *z)
{
    const sow_i_hypermap_space *s = &m->space;
    for (sow_index i = 0; i < n; i++) {
        double *row = r + i * s->d;
        sow_programs_response(z, &m->programs, a->activity, s->t->perturbation[seed[i]]);
        for (sow_index j = 0; j < s->k; j++) z[j] = -z[j];
        memcpy(row, s->t->y + seed[i] * s->d, (size_t)s->d * sizeof *row);
        sow_i_hypermap_add_numbers(row, s, z);
    }
}

static sow_status adapt_programs(sow_i_hypermap_adapted *a, const sow_i_hypermap_model *m, const sow_index *seed, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    double *r = NULL, *z = NULL, *one = NULL;
    sow_index *item = NULL;
    SOW_NEW(a->activity, m->programs.rank);
    SOW_NEW(r, n * s->d);
    SOW_NEW(z, n * s->k);
    SOW_NEW(one, s->k);
    SOW_NEW(item, n);
    for (sow_index i = 0; i < n; i++) item[i] = s->t->perturbation[seed[i]];
    SOW_NEW(a->covariance, m->programs.rank * m->programs.rank);
    SOW_TRY(sow_programs_adapt(a->activity, a->covariance, &m->programs, NULL, NULL, 0, 0, err));
    for (int round = 0; round < ROUNDS; round++) {
        less_programs(r, m, a, seed, n, one);
        SOW_TRY(believe(a, m, r, n, err));
        if (n == 0) break;
        for (sow_index i = 0; i < n; i++)
            for (sow_index g = 0; g < s->d; g++) r[i * s->d + g] = s->t->y[seed[i] * s->d + g] - a->shift[g];
        SOW_TRY(sow_i_hypermap_to_numbers(z, s, r, n, env, err));
        SOW_TRY(sow_programs_adapt(a->activity, a->covariance, &m->programs, z, item, n, doubt(m, n), err));
    }
done:
    free(r);
    free(z);
    free(one);
    free(item);
    return st;
}

/* ---- networks ---- */

static sow_status adapt_member(sow_params **to, sow_i_hypermap_model *m, sow_index b, const unsigned char *use, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_options *o = &m->s.o;
    const sow_hypermap_data data = sow_i_hypermap_data(&m->w, 1);
    sow_index rows = 0;
    sow_error why = {0};
    SOW_TRY(sow_params_like(to, m->member[b].meta, err));
    SOW_TRY(sow_params_copy(*to, m->member[b].meta, err));
    st = sow_hypermap_adapt(*to, &rows, &m->s.sizes, &data, m->space.n_references, use, m->s.learning.adapt_size, o->adapt_rate, o->adapt_steps, o->dropout, m->s.seed + (uint64_t)b, env, &why);
    const sow_hypermap_course *course = &m->member[b].course;
    if (st == SOW_E_NONFINITE && course->not_finite > 0) /* what it is adapted from is the trouble */
        SOW_FAIL(err, st, "adapting hypermap to its %lld seed rows: %s; it went wrong before, when %lld of %lld outer steps were not finite: lower model.hypermap.inner_rate (%g) or model.hypermap.meta_rate (%g)",
                 (long long)rows, why.message, (long long)course->not_finite, (long long)course->steps, o->inner_rate, o->meta_rate);
    if (st == SOW_E_NONFINITE) SOW_FAIL(err, st, "adapting hypermap to its %lld seed rows: %s: lower model.hypermap.adapt_rate (%g)", (long long)rows, why.message, o->adapt_rate);
    if (st != SOW_OK && err) *err = why;
done:
    return st;
}

static sow_status adapt_networks(sow_i_hypermap_adapted *a, sow_i_hypermap_model *m, const unsigned char *use, const sow_index *seed, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    double *r = NULL;
    if (!m->w.cells) {
        SOW_NEW(r, n * s->d);
        for (sow_index i = 0; i < n; i++) memcpy(r + i * s->d, s->t->y + seed[i] * s->d, (size_t)s->d * sizeof *r);
        SOW_TRY(believe(a, m, r, n, err));
        SOW_TRY(sow_i_hypermap_world_shift(&m->w, a->shift, err));
    }
    SOW_NEW(a->member, m->n_members);
    for (sow_index b = 0; b < m->n_members; b++) SOW_TRY(adapt_member(&a->member[b], m, b, use, env, err));
done:
    free(r);
    return st;
}

/* ---- both ---- */

sow_status sow_i_hypermap_adapt(sow_i_hypermap_adapted *to, sow_i_hypermap_model *m, const unsigned char *use, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *seed = NULL;
    *to = (sow_i_hypermap_adapted){0};
    SOW_NEW(seed, m->space.t->n);
    SOW_NEW(to->shift, m->space.d);
    const sow_index n = list_seeds(seed, m->space.t, use);
    SOW_TRY(m->n_members ? adapt_networks(to, m, use, seed, n, env, err) : adapt_programs(to, m, seed, n, env, err));
done:
    free(seed);
    return st;
}

sow_status sow_i_hypermap_knows(int *knows, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    float *e = NULL;
    *knows = 0;
    if (perturbation >= m->space.n_items) return SOW_OK;
    if (!m->n_members) {
        *knows = sow_programs_knows(&m->programs, perturbation);
        return SOW_OK;
    }
    SOW_NEW(e, m->w.width);
    *knows = sow_i_hypermap_embed(e, &m->w, perturbation);
done:
    free(e);
    return st;
}

/* Mean over networks of what they say, z [k]; nothing of what they do not know. */
static sow_status ask_networks(double *z, const sow_i_hypermap_adapted *a, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    float *e = NULL, *out = NULL;
    SOW_NEW(e, m->w.width);
    SOW_NEW(out, m->space.k);
    if (perturbation >= m->space.n_items || !sow_i_hypermap_embed(e, &m->w, perturbation)) goto done;
    for (sow_index b = 0; b < m->n_members; b++) {
        SOW_TRY(sow_hypermap_predict(out, a->member[b], &m->s.sizes, e, 1, m->x, m->n_x, NULL, err));
        for (sow_index j = 0; j < m->space.k; j++) z[j] += (double)out[j] / (double)m->n_members;
    }
done:
    free(e);
    free(out);
    return st;
}

sow_status sow_i_hypermap_ask(double *change, const sow_i_hypermap_adapted *a, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    double *z = NULL;
    SOW_NEW(z, s->k);
    memcpy(change, a->shift, (size_t)s->d * sizeof *change);
    if (m->n_members) SOW_TRY(ask_networks(z, a, m, perturbation, err));
    else if (perturbation < s->n_items) sow_programs_response(z, &m->programs, a->activity, perturbation);
    sow_i_hypermap_add_numbers(change, s, z);
done:
    free(z);
    return st;
}
