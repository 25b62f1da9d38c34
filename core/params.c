#include "core/params_internal.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, BUFFERS = 4 };

static sow_index numbers_of(const sow_i_matrix *m)
{
    return m->rows * m->cols;
}

/* Rounded up so that the next matrix starts at a multiple of 64 bytes. */
static sow_index padded(sow_index numbers, sow_dtype dtype)
{
    sow_index step = ALIGNMENT / (sow_index)sow_dtype_size(dtype);
    return (numbers + step - 1) / step * step;
}

static sow_status lay_out(sow_params *p, const sow_param_spec *spec, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < p->n; i++) {
        sow_i_matrix *m = &p->matrix[i];
        if (spec[i].rows < 1 || spec[i].cols < 1 || spec[i].cols > INT64_MAX / 1024 / spec[i].rows)
            SOW_FAIL(err, SOW_E_SHAPE, "parameter '%s' would be [%lld, %lld]; every side is at least 1", spec[i].name, (long long)spec[i].rows, (long long)spec[i].cols);
        m->rows = spec[i].rows;
        m->cols = spec[i].cols;
        m->at = p->flat;
        m->name = sow_strdup(spec[i].name);
        if (!m->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        p->numbers += numbers_of(m);
        p->flat += padded(numbers_of(m), p->dtype);
    }
done:
    return st;
}

static sow_status take_memory(sow_params *p, sow_error *err)
{
    sow_status st = SOW_OK;
    size_t each = (size_t)p->flat * sow_dtype_size(p->dtype);
    unsigned char *bytes;
    SOW_NEW(bytes, BUFFERS * each + ALIGNMENT);
    p->memory = bytes;
    bytes += (ALIGNMENT - (uintptr_t)bytes % ALIGNMENT) % ALIGNMENT;
    p->value = bytes;
    p->grad = bytes + each;
    p->m = bytes + 2 * each;
    p->v = bytes + 3 * each;
done:
    return st;
}

/* Drawn to single precision in either dtype, as torch's initial weights are: a network in double starts from the numbers of its twin in single. */
static void draw(sow_params *p, sow_index i, const sow_param_spec *spec, uint64_t seed, uint32_t network)
{
    sow_rng rng = sow_rng_make(seed, SOW_RNG_PARAMS, network, (uint32_t)i);
    const sow_i_matrix *m = &p->matrix[i];
    for (sow_index j = 0; j < numbers_of(m); j++) {
        double x = spec->fill;
        if (spec->bound > 0) x = (2 * sow_rng_uniform(&rng) - 1) * spec->bound;
        if (spec->bound < 0) x = sow_rng_normal(&rng) * -spec->bound;
        if (p->dtype == SOW_F32)
            ((float *)p->value)[m->at + j] = (float)x;
        else
            ((double *)p->value)[m->at + j] = spec->bound == 0 ? x : (double)(float)x;
    }
}

sow_status sow_params_create(sow_params **out, const sow_param_spec *spec, sow_index n, sow_dtype dtype, uint64_t seed, uint32_t network, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_params *p = NULL;
    *out = NULL;
    if (n < 0 || (dtype != SOW_F32 && dtype != SOW_F64)) SOW_FAIL(err, SOW_E_ARG, "%lld parameters of kind %d", (long long)n, (int)dtype);
    SOW_NEW(p, 1);
    p->dtype = dtype;
    SOW_NEW(p->matrix, n);
    p->n = n;
    SOW_TRY(lay_out(p, spec, err));
    SOW_TRY(take_memory(p, err));
    for (sow_index i = 0; i < n; i++) draw(p, i, &spec[i], seed, network);
    *out = p;
    p = NULL;
done:
    sow_params_destroy(p);
    return st;
}

sow_status sow_params_like(sow_params **out, const sow_params *like, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_params *p = NULL;
    *out = NULL;
    SOW_NEW(p, 1);
    p->dtype = like->dtype;
    p->flat = like->flat;
    p->numbers = like->numbers;
    SOW_NEW(p->matrix, like->n);
    p->n = like->n;
    for (sow_index i = 0; i < p->n; i++) {
        p->matrix[i] = like->matrix[i];
        p->matrix[i].name = NULL;
    }
    for (sow_index i = 0; i < p->n; i++) {
        p->matrix[i].name = sow_strdup(like->matrix[i].name);
        if (!p->matrix[i].name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    SOW_TRY(take_memory(p, err));
    *out = p;
    p = NULL;
done:
    sow_params_destroy(p);
    return st;
}

void sow_params_destroy(sow_params *p)
{
    if (!p) return;
    for (sow_index i = 0; i < p->n; i++) free(p->matrix[i].name);
    free(p->matrix);
    free(p->memory);
    free(p);
}

/* ---- reading ---- */

sow_index sow_params_count(const sow_params *p)
{
    return p->n;
}

sow_index sow_params_numbers(const sow_params *p)
{
    return p->numbers;
}

sow_index sow_params_find(const sow_params *p, const char *name)
{
    for (sow_index i = 0; i < p->n; i++)
        if (strcmp(p->matrix[i].name, name) == 0) return i;
    return -1;
}

const char *sow_params_name(const sow_params *p, sow_index i)
{
    return p->matrix[i].name;
}

static sow_tensor view_in(const sow_params *p, void *buffer, sow_index i)
{
    const sow_i_matrix *m = &p->matrix[i];
    void *data = (char *)buffer + (size_t)m->at * sow_dtype_size(p->dtype);
    return (sow_tensor){.data = data, .rows = m->rows, .cols = m->cols, .dtype = p->dtype, .place = SOW_HOST};
}

sow_tensor sow_params_value(const sow_params *p, sow_index i)
{
    return view_in(p, p->value, i);
}

sow_tensor sow_params_grad(const sow_params *p, sow_index i)
{
    return view_in(p, p->grad, i);
}

/* ---- copying and keeping ---- */

static sow_status same_matrices(const sow_params *a, const sow_params *b, sow_error *err)
{
    if (a->dtype != b->dtype)
        return SOW_ERROR(err, SOW_E_SHAPE, "parameters of %zu bytes a number cannot be copied to some of %zu", sow_dtype_size(b->dtype), sow_dtype_size(a->dtype));
    if (a->n != b->n) return SOW_ERROR(err, SOW_E_SHAPE, "%lld parameters cannot be copied to %lld", (long long)b->n, (long long)a->n);
    for (sow_index i = 0; i < a->n; i++) {
        const sow_i_matrix *x = &a->matrix[i], *y = &b->matrix[i];
        if (x->rows != y->rows || x->cols != y->cols)
            return SOW_ERROR(err, SOW_E_SHAPE, "parameter '%s' [%lld, %lld] cannot be copied to '%s' [%lld, %lld]", y->name, (long long)y->rows, (long long)y->cols, x->name,
                             (long long)x->rows, (long long)x->cols);
    }
    return SOW_OK;
}

sow_status sow_params_copy(sow_params *to, const sow_params *from, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(same_matrices(to, from, err));
    memcpy(to->value, from->value, (size_t)to->flat * sow_dtype_size(to->dtype));
done:
    return st;
}

static sow_archive_kind kind_of(const sow_params *p)
{
    return p->dtype == SOW_F32 ? SOW_ARCHIVE_F32 : SOW_ARCHIVE_F64;
}

/* The buffers that are kept, and what their names end in. */
static const char *const endings[] = {"", ".m", ".v"};

static void *buffer_of(const sow_params *p, int which)
{
    void *const buffers[] = {p->value, p->m, p->v};
    return buffers[which];
}

static sow_status put_matrix(sow_archive *a, const char *prefix, const sow_params *p, sow_index i, int which, sow_error *err)
{
    sow_tensor x = view_in(p, buffer_of(p, which), i);
    char *name = sow_format("%s/%s%s", prefix, p->matrix[i].name, endings[which]);
    if (!name) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_status st = sow_archive_put(a, name, kind_of(p), x.data, x.rows, x.cols, err);
    free(name);
    return st;
}

static sow_status get_matrix(const void **data, const sow_archive *a, const char *prefix, const sow_params *p, sow_index i, int which, sow_error *err)
{
    const sow_i_matrix *m = &p->matrix[i];
    char *name = sow_format("%s/%s%s", prefix, m->name, endings[which]);
    if (!name) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_status st = sow_archive_get(data, a, name, kind_of(p), m->rows, m->cols, err);
    free(name);
    return st;
}

sow_status sow_params_save(sow_archive *a, const char *prefix, const sow_params *p, int moments, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    for (int which = 0; which < (moments ? 3 : 1); which++)
        for (sow_index i = 0; i < p->n; i++) SOW_TRY(put_matrix(a, prefix, p, i, which, err));
    if (!moments) goto done;
    name = sow_format("%s/adam.steps", prefix);
    if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_archive_put_integer(a, name, p->steps, err));
done:
    free(name);
    return st;
}

static sow_status load_steps(int64_t *steps, const sow_archive *a, const char *prefix, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = sow_format("%s/adam.steps", prefix);
    if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_archive_get_integer(steps, a, name, err));
    if (*steps < 0) SOW_FAIL(err, SOW_E_DATA, "'%s' is %lld; a count of steps is not negative", name, (long long)*steps);
done:
    free(name);
    return st;
}

/* All is looked at before anything is written: a set that cannot be loaded stays as it was. */
sow_status sow_params_load(sow_params *p, const sow_archive *a, const char *prefix, int moments, sow_error *err)
{
    sow_status st = SOW_OK;
    const int n_buffers = moments ? 3 : 1;
    int64_t steps = 0;
    const void **from = NULL;
    SOW_NEW(from, n_buffers * p->n);
    for (int which = 0; which < n_buffers; which++)
        for (sow_index i = 0; i < p->n; i++) SOW_TRY(get_matrix(&from[which * p->n + i], a, prefix, p, i, which, err));
    if (moments) SOW_TRY(load_steps(&steps, a, prefix, err));
    for (int which = 0; which < n_buffers; which++)
        for (sow_index i = 0; i < p->n; i++) {
            sow_tensor to = view_in(p, buffer_of(p, which), i);
            memcpy(to.data, from[which * p->n + i], (size_t)(to.rows * to.cols) * sow_dtype_size(p->dtype));
        }
    if (moments) p->steps = steps;
done:
    free(from);
    return st;
}
