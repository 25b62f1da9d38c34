#include "fused_check.h"

#include "core/memory.h"

static sow_index m_rows = 5;

/* Weights of a loss in which every entry counts differently. */
static sow_var weighted(sow_tape *t, sow_var x, uint32_t stream)
{
    static double kept[4][1024];
    const sow_tensor v = sow_tape_value(t, x);
    double *weight = kept[stream % 4];
    cr_assert(v.rows * v.cols <= 1024);
    for (sow_index i = 0; i < v.rows * v.cols; i++) weight[i] = fused_number(50 + stream, i);
    return sow_op_sum(t, sow_op_mul(t, x, sow_tape_constant(t, weight, v.rows, v.cols)));
}

static sow_var loss_of_out(sow_tape *t, const sow_var *in)
{
    return weighted(t, sow_op_square(t, sow_op_attend(t, in[0], in[1], in[2], NULL)), 0);
}

static sow_var loss_of_both(sow_tape *t, const sow_var *in)
{
    sow_var alpha;
    const sow_var out = sow_op_attend(t, in[0], in[1], in[2], &alpha);
    return sow_op_add(t, weighted(t, out, 1), weighted(t, sow_op_square(t, alpha), 2));
}

/* Queries, keys and values are the same numbers. */
static sow_var loss_of_self(sow_tape *t, const sow_var *in)
{
    return weighted(t, sow_op_attend(t, in[0], in[0], in[0], NULL), 3);
}

static fused_case small_case(sow_var (*loss)(sow_tape *t, const sow_var *in))
{
    fused_case c = {.n = 3, .rows = {m_rows, 4, 4}, .cols = {3, 3, 6}, .loss = loss};
    for (uint32_t i = 0; i < 3; i++) c.at[i] = fused_numbers(i, c.rows[i] * c.cols[i]);
    return c;
}

static void clear_case(fused_case *c)
{
    for (int i = 0; i < 3; i++) free(c->at[i]);
}

Test(op_attend, has_both_gradients_of_what_it_gives_out)
{
    fused_case c = small_case(loss_of_out);
    fused_check(&c);
    clear_case(&c);
}

Test(op_attend, has_both_gradients_when_its_weights_are_used_as_well)
{
    fused_case c = small_case(loss_of_both);
    fused_check(&c);
    clear_case(&c);
}

Test(op_attend, attends_to_itself)
{
    fused_case c = {.n = 1, .rows = {5}, .cols = {4}, .at = {fused_numbers(9, 20)}, .loss = loss_of_self};
    fused_check(&c);
    free(c.at[0]);
}

/* softmax(q k^T / sqrt(l)) v by its definition. */
static void naive(double *alpha, double *out, const double *q, const double *k, const double *v, sow_index m, sow_index g, sow_index l, sow_index e)
{
    for (sow_index i = 0; i < m; i++) {
        double sum = 0;
        for (sow_index j = 0; j < g; j++) {
            double dot = 0;
            for (sow_index c = 0; c < l; c++) dot += q[i * l + c] * k[j * l + c];
            alpha[i * g + j] = exp(dot / sqrt((double)l));
            sum += alpha[i * g + j];
        }
        for (sow_index j = 0; j < g; j++) alpha[i * g + j] /= sum;
        for (sow_index c = 0; c < e; c++) {
            out[i * e + c] = 0;
            for (sow_index j = 0; j < g; j++) out[i * e + c] += alpha[i * g + j] * v[j * e + c];
        }
    }
}

enum { M = 64, G = 50, L = 100 };

static void check_twin(sow_dtype dtype, double tolerance)
{
    double *q = fused_numbers(1, M * L), *k = fused_numbers(2, G * L), *v = fused_numbers(3, G * L), *alpha = fused_numbers(4, M * G), *out = fused_numbers(5, M * L);
    sow_tape *t = NULL;
    sow_error err = {0};
    float *single = malloc((M + 2 * G) * L * sizeof *single);
    cr_assert(single);
    for (sow_index i = 0; i < M * L; i++) q[i] = (double)(single[i] = (float)q[i]);
    for (sow_index i = 0; i < G * L; i++) k[i] = (double)(single[M * L + i] = (float)k[i]);
    for (sow_index i = 0; i < G * L; i++) v[i] = (double)(single[(M + G) * L + i] = (float)v[i]);
    naive(alpha, out, q, k, v, M, G, L, L);
    cr_assert_eq(sow_tape_create(&t, NULL, dtype, NULL, &err), SOW_OK);
    sow_var weights;
    const sow_var given = sow_op_attend(t, sow_tape_floats(t, single, M, L), sow_tape_floats(t, single + M * L, G, L), sow_tape_floats(t, single + (M + G) * L, G, L), &weights);
    cr_assert_eq(sow_tape_status(t, &err), SOW_OK, "%s", err.message);
    const void *a = sow_tape_value(t, weights).data, *o = sow_tape_value(t, given).data;
    for (sow_index i = 0; i < M * G; i++) fused_near(dtype == SOW_F32 ? (double)((const float *)a)[i] : ((const double *)a)[i], alpha[i], tolerance, "weights", 0, i);
    for (sow_index i = 0; i < M * L; i++) fused_near(dtype == SOW_F32 ? (double)((const float *)o)[i] : ((const double *)o)[i], out[i], tolerance, "output", 0, i);
    sow_tape_destroy(t);
    free(q);
    free(k);
    free(v);
    free(alpha);
    free(out);
    free(single);
}

Test(op_attend, equals_its_definition_in_double)
{
    check_twin(SOW_F64, 1e-13);
}

Test(op_attend, is_near_its_definition_in_single)
{
    check_twin(SOW_F32, 3e-6);
}

Test(op_attend, survives_scores_whose_exponentials_would_overflow)
{
    const double q[2] = {1e4, -1e4}, k[4] = {1, 0, 0, 1}, v[2] = {3, 5};
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, &err), SOW_OK);
    const sow_var out = sow_op_attend(t, sow_tape_constant(t, q, 1, 2), sow_tape_constant(t, k, 2, 2), sow_tape_constant(t, v, 2, 1), NULL);
    cr_assert(fabs(sow_tape_scalar(t, out) - 3) <= 1e-12);
    sow_tape_destroy(t);
}

Test(op_attend, refuses_shapes_that_do_not_go_together)
{
    static const double x[12] = {0};
    const struct {
        sow_index q, k, v, q_cols;
    } wrong[] = {{2, 3, 3, 4} /* keys have 3 columns */, {2, 3, 2, 3}, {2, 0, 0, 3}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sow_tape *t = NULL;
        sow_error err = {0};
        cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, &err), SOW_OK);
        const sow_var q = sow_tape_constant(t, x, wrong[i].q, wrong[i].q_cols), k = sow_tape_constant(t, x, wrong[i].k, 3), v = sow_tape_constant(t, x, wrong[i].v, 1);
        sow_var alpha = 7;
        cr_assert_eq(sow_op_attend(t, q, k, v, &alpha), SOW_NO_VAR);
        cr_assert_eq(alpha, SOW_NO_VAR);
        cr_assert_eq(sow_tape_status(t, &err), SOW_E_SHAPE);
        cr_assert(strstr(err.message, "attention"), "%s", err.message);
        sow_tape_destroy(t);
    }
}

Test(op_attend, takes_no_memory_in_the_second_pass)
{
    fused_case c = small_case(loss_of_both);
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, &err), SOW_OK);
    for (int pass = 0; pass < 3; pass++) {
        sow_var in[FUSED_MOST];
        sow_tape_reset(t);
        sow_memory_fail_after(pass ? 0 : -1);
        const sow_status st = sow_tape_backward(t, fused_build(t, &c, in), &err);
        sow_memory_fail_after(-1);
        cr_assert_eq(st, SOW_OK, "pass %d: %s", pass, err.message);
    }
    sow_tape_destroy(t);
    clear_case(&c);
}
