/* The tape itself: notes, leaves, reading, errors, and the first-order way back. The operations are in core/ops/. */
#include "core/tape_internal.h"

#include "core/memory.h"
#include "core/params_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---- */

sow_status sow_tape_create(sow_tape **out, const sow_backend *backend, sow_dtype dtype, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_tape *t = NULL;
    *out = NULL;
    if (dtype != SOW_F32 && dtype != SOW_F64) SOW_FAIL(err, SOW_E_ARG, "a tape of numbers of kind %d; allowed are SOW_F32 and SOW_F64", (int)dtype);
    SOW_NEW(t, 1);
    t->backend = backend ? backend : sow_backend_cpu();
    t->threads = threads;
    t->dtype = dtype;
    *out = t;
done:
    return st;
}

void sow_tape_destroy(sow_tape *t)
{
    if (!t) return;
    sow_i_arena_clear(t);
    sow_i_scratch_clear(t);
    free(t->block);
    free(t->node);
    free(t->adjoint);
    free(t);
}

void sow_tape_reset(sow_tape *t)
{
    t->n = 0;
    t->status = SOW_OK;
    memset(&t->error, 0, sizeof t->error);
    sow_i_arena_reset(t);
    sow_i_scratch_reset(t);
}

sow_status sow_tape_status(const sow_tape *t, sow_error *err)
{
    if (t->status != SOW_OK && err) *err = t->error;
    return t->status;
}

sow_dtype sow_tape_dtype(const sow_tape *t)
{
    return t->dtype;
}

size_t sow_tape_bytes(const sow_tape *t)
{
    return t->most_bytes;
}

/* ---- errors ---- */

void sow_i_fail(sow_tape *t, sow_status status, const char *file, int line, const char *format, ...)
{
    if (t->status != SOW_OK) return;
    char message[sizeof t->error.message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    t->status = sow_error_set(&t->error, status, file, line, "%s", message);
}

int sow_i_check(sow_tape *t, sow_status st)
{
    if (st != SOW_OK && t->status == SOW_OK) t->status = st;
    return t->status == SOW_OK;
}

int sow_i_missing(sow_tape *t, const char *slot)
{
    SOW_I_FAIL(t, SOW_E_UNSUPPORTED, "the backend '%s' has no kernel '%s'; use another device", t->backend->name, slot);
    return 0;
}

void sow_i_fail_shapes(sow_tape *t, const char *op, sow_var a, sow_var b)
{
    sow_tensor x = sow_i_value(t, a), y = sow_i_value(t, b);
    SOW_I_FAIL(t, SOW_E_SHAPE, "%s: [%lld, %lld] and [%lld, %lld] do not go together", op, (long long)x.rows, (long long)x.cols, (long long)y.rows, (long long)y.cols);
}

/* ---- nodes ---- */

static int is_on(const sow_tape *t, sow_var v)
{
    return v >= 0 && v < t->n;
}

int sow_i_stopped(sow_tape *t, sow_var a, sow_var b, sow_var c)
{
    if (t->status != SOW_OK) return 1;
    if (is_on(t, a) && is_on(t, b) && is_on(t, c)) return 0;
    SOW_I_FAIL(t, SOW_E_ARG, "an operation was given a value that is not on the tape (%d, %d, %d of %lld); values are good until the next reset", (int)a, (int)b, (int)c, (long long)t->n);
    return 1;
}

const sow_i_node *sow_i_node_of(const sow_tape *t, sow_var v)
{
    static const sow_i_node none = {.in = {SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR}};
    return is_on(t, v) ? &t->node[v] : &none;
}

static sow_var append(sow_tape *t, const sow_i_node *node)
{
    if (t->status != SOW_OK) return SOW_NO_VAR;
    if (t->n >= INT32_MAX) {
        SOW_I_FAIL(t, SOW_E_NOMEM, "a tape of more than %d values", INT32_MAX);
        return SOW_NO_VAR;
    }
    if (!sow_i_check(t, sow_grow(&t->node, &t->capacity, t->n + 1, sizeof *t->node, &t->error))) return SOW_NO_VAR;
    t->node[t->n] = *node;
    return (sow_var)t->n++;
}

static sow_var note(sow_tape *t, const sow_i_op *op, const sow_var *in, sow_tensor value, const sow_i_detail *detail)
{
    if (t->status != SOW_OK) return SOW_NO_VAR;
    sow_i_node node = {.value = value, .op = op};
    if (detail) node.detail = *detail;
    for (int i = 0; i < SOW_I_INPUTS; i++) {
        node.in[i] = in[i];
        if (in[i] != SOW_NO_VAR) node.needs |= t->node[in[i]].needs;
    }
    return append(t, &node);
}

sow_var sow_i_note(sow_tape *t, const sow_i_op *op, sow_var a, sow_var b, sow_var c, sow_index rows, sow_index cols, const sow_i_detail *detail)
{
    return note(t, op, (const sow_var[]){a, b, c}, sow_i_arena_tensor(t, rows, cols), detail);
}

sow_var sow_i_note_view(sow_tape *t, const sow_i_op *op, sow_var a, sow_tensor value, const sow_i_detail *detail)
{
    return note(t, op, (const sow_var[]){a, SOW_NO_VAR, SOW_NO_VAR}, value, detail);
}

/* ---- leaves ---- */

static const sow_var no_inputs[SOW_I_INPUTS] = {SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR};

static int is_matrix(sow_tape *t, const char *what, const void *data, sow_index rows, sow_index cols)
{
    if (rows < 0 || cols < 0)
        SOW_I_FAIL(t, SOW_E_SHAPE, "%s: a matrix [%lld, %lld]", what, (long long)rows, (long long)cols);
    else if (!data && rows > 0 && cols > 0)
        SOW_I_FAIL(t, SOW_E_ARG, "%s: no data for a matrix [%lld, %lld]", what, (long long)rows, (long long)cols);
    return t->status == SOW_OK;
}

sow_var sow_tape_constant(sow_tape *t, const void *data, sow_index rows, sow_index cols)
{
    if (t->status != SOW_OK || !is_matrix(t, "constant", data, rows, cols)) return SOW_NO_VAR;
    sow_tensor value = {.rows = rows, .cols = cols, .dtype = t->dtype, .place = t->backend->place};
    memcpy(&value.data, &data, sizeof data); /* a tensor cannot say const; nothing writes to a leaf */
    return note(t, NULL, no_inputs, value, NULL);
}

sow_var sow_tape_floats(sow_tape *t, const float *data, sow_index rows, sow_index cols)
{
    if (t->status != SOW_OK || !is_matrix(t, "floats", data, rows, cols)) return SOW_NO_VAR;
    sow_var v = sow_i_note(t, NULL, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, rows, cols, NULL);
    return SOW_I_KERNEL(t, widen, sow_i_value(t, v), data) ? v : SOW_NO_VAR;
}

sow_var sow_i_constant(sow_tape *t, double x, sow_index rows, sow_index cols)
{
    sow_var v = sow_i_note(t, NULL, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, rows, cols, NULL);
    return SOW_I_KERNEL(t, fill, sow_i_value(t, v), x) ? v : SOW_NO_VAR;
}

sow_var sow_tape_number(sow_tape *t, double x)
{
    return sow_i_constant(t, x, 1, 1);
}

static sow_var find_param(const sow_tape *t, const sow_params *p, sow_index i)
{
    for (sow_index v = 0; v < t->n; v++)
        if (t->node[v].params == p && t->node[v].param == i) return (sow_var)v;
    return SOW_NO_VAR;
}

sow_var sow_tape_param(sow_tape *t, sow_params *p, sow_index i)
{
    if (t->status != SOW_OK) return SOW_NO_VAR;
    if (i < 0 || i >= sow_params_count(p)) {
        SOW_I_FAIL(t, SOW_E_ARG, "parameter %lld of %lld", (long long)i, (long long)sow_params_count(p));
        return SOW_NO_VAR;
    }
    if (p->dtype != t->dtype) {
        SOW_I_FAIL(t, SOW_E_ARG, "parameter '%s' has numbers of %zu bytes, the tape of %zu", sow_params_name(p, i), sow_dtype_size(p->dtype), sow_dtype_size(t->dtype));
        return SOW_NO_VAR;
    }
    if (sow_params_value(p, i).place != t->backend->place) {
        SOW_I_FAIL(t, SOW_E_UNSUPPORTED, "parameter '%s' is not where the backend '%s' works", sow_params_name(p, i), t->backend->name);
        return SOW_NO_VAR;
    }
    sow_var known = find_param(t, p, i);
    if (known != SOW_NO_VAR) return known;
    sow_i_node node = {.value = sow_params_value(p, i), .grad = sow_params_grad(p, i), .in = {SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR}, .needs = 1, .params = p, .param = i};
    return append(t, &node);
}

sow_var sow_tape_variable(sow_tape *t, const void *data, sow_index rows, sow_index cols)
{
    if (t->status != SOW_OK || !is_matrix(t, "variable", data, rows, cols)) return SOW_NO_VAR;
    sow_var v = sow_i_note(t, NULL, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, rows, cols, NULL);
    if (v == SOW_NO_VAR) return v;
    t->node[v].needs = 1;
    size_t bytes = (size_t)(rows * cols) * sow_dtype_size(t->dtype);
    return bytes == 0 || sow_i_check(t, t->backend->upload(t->node[v].value.data, data, bytes, &t->error)) ? v : SOW_NO_VAR;
}

/* ---- reading ---- */

sow_tensor sow_tape_value(const sow_tape *t, sow_var v)
{
    return sow_i_value(t, v);
}

double sow_tape_scalar(const sow_tape *t, sow_var v)
{
    sow_tensor x = sow_i_value(t, v);
    float single;
    double number;
    if (!x.data || x.rows != 1 || x.cols != 1 || t->status != SOW_OK) return NAN;
    void *to = x.dtype == SOW_F32 ? (void *)&single : (void *)&number;
    if (t->backend->download(to, x.data, sow_dtype_size(x.dtype), NULL) != SOW_OK) return NAN;
    return x.dtype == SOW_F32 ? (double)single : number;
}

sow_tensor sow_tape_grad_of(const sow_tape *t, sow_var v)
{
    const sow_i_node *node = sow_i_node_of(t, v);
    return node->has_grad ? node->grad : (sow_tensor){0};
}

/* ---- the way back ---- */

int sow_i_wants(const sow_tape *t, sow_var y, int i)
{
    return sow_i_node_of(t, sow_i_in(t, y, i))->wanted;
}

sow_tensor sow_i_grad_of(const sow_tape *t, sow_var y)
{
    return sow_i_node_of(t, y)->grad;
}

static sow_grad slot_of(sow_tape *t, sow_var v)
{
    if (!is_on(t, v) || !t->node[v].wanted) return (sow_grad){0};
    if (!t->node[v].grad.data) {
        sow_tensor grad = sow_i_arena_tensor(t, t->node[v].value.rows, t->node[v].value.cols);
        t->node[v].grad = grad;
    }
    sow_i_node *node = &t->node[v];
    sow_grad slot = {.at = node->grad, .add = node->has_grad};
    node->has_grad = 1;
    return slot;
}

sow_grad sow_i_grad_slot(sow_tape *t, sow_var y, int i)
{
    return slot_of(t, sow_i_in(t, y, i));
}

int sow_i_may_go_back(sow_tape *t, sow_var loss)
{
    if (sow_i_stopped(t, loss, loss, loss)) return 0;
    sow_tensor x = sow_i_value(t, loss);
    if (x.rows != 1 || x.cols != 1) {
        SOW_I_FAIL(t, SOW_E_SHAPE, "the way back starts at one number, not at [%lld, %lld]", (long long)x.rows, (long long)x.cols);
        return 0;
    }
    double value = sow_tape_scalar(t, loss);
    if (isfinite(value)) return 1;
    SOW_I_FAIL(t, SOW_E_NONFINITE, "the loss is %g: the numbers have run away; try a smaller learning rate, and look for values that are not finite in the data", value);
    return 0;
}

static void walk_back(sow_tape *t, sow_var loss)
{
    sow_grad seed = slot_of(t, loss);
    if (!seed.at.data || !SOW_I_KERNEL(t, fill, seed.at, 1)) return;
    for (sow_var v = loss; v >= 0 && t->status == SOW_OK; v--) {
        const sow_i_node *node = &t->node[v];
        if (node->has_grad && node->op && node->op->backward) node->op->backward(t, v);
    }
}

sow_status sow_tape_backward(sow_tape *t, sow_var loss, sow_error *err)
{
    if (!sow_i_may_go_back(t, loss)) return sow_tape_status(t, err);
    for (sow_index v = 0; v < t->n; v++) {
        t->node[v].has_grad = 0;
        t->node[v].wanted = t->node[v].needs;
    }
    walk_back(t, loss);
    for (sow_index v = 0; v < t->n && t->status == SOW_OK; v++)
        if (t->node[v].params && !t->node[v].has_grad) (void)SOW_I_KERNEL(t, fill, t->node[v].grad, 0);
    return sow_tape_status(t, err);
}
