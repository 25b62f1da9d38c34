#include "core/memory.h"
#include "core/optim.h"
#include "core/params.h"

#include "../io/faults.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const sow_param_spec spec[] = {
    {"encoder.weight", 37, 11, 0.25, 0},
    {"encoder.bias", 1, 37, 0, 0.5},
    {"programs", 20, 30, -2, 0},
    {"last", 3, 1, 0.5, 0},
};

static sow_params *make(const sow_param_spec *s, sow_index n, sow_dtype dtype, uint64_t seed, uint32_t network)
{
    sow_params *p = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_params_create(&p, s, n, dtype, seed, network, &err), SOW_OK, "%s", err.message);
    return p;
}

static double number(sow_tensor x, sow_index i)
{
    return x.dtype == SOW_F32 ? (double)((float *)x.data)[i] : ((double *)x.data)[i];
}

Test(params, lays_matrices_out_by_name_at_64_byte_boundaries)
{
    for (int single = 0; single < 2; single++) {
        sow_params *p = make(spec, 4, single ? SOW_F32 : SOW_F64, 1, 2);
        cr_assert_eq(sow_params_count(p), 4);
        cr_assert_eq(sow_params_numbers(p), 37 * 11 + 37 + 600 + 3);
        cr_assert_eq(sow_params_find(p, "programs"), 2);
        cr_assert_eq(sow_params_find(p, "program"), -1);
        cr_assert_str_eq(sow_params_name(p, 3), "last");
        for (sow_index i = 0; i < 4; i++) {
            sow_tensor value = sow_params_value(p, i), grad = sow_params_grad(p, i);
            cr_assert(value.rows == spec[i].rows && value.cols == spec[i].cols && grad.rows == spec[i].rows && grad.cols == spec[i].cols);
            cr_assert_eq((uintptr_t)value.data % 64, 0);
            cr_assert_eq((uintptr_t)grad.data % 64, 0);
            cr_assert(value.place == SOW_HOST && value.dtype == (single ? SOW_F32 : SOW_F64));
            for (sow_index j = 0; j < grad.rows * grad.cols; j++) cr_assert_eq(number(grad, j), 0);
        }
        sow_params_destroy(p);
    }
    sow_params_destroy(NULL);
}

Test(params, draws_within_the_bound_or_from_a_normal_or_fills)
{
    sow_params *p = make(spec, 4, SOW_F64, 1, 2);
    double sum = 0, squares = 0, most = 0;
    sow_tensor weight = sow_params_value(p, 0), bias = sow_params_value(p, 1), normal = sow_params_value(p, 2);
    for (sow_index j = 0; j < 37 * 11; j++) {
        cr_assert(fabs(number(weight, j)) <= 0.25);
        most = fmax(most, fabs(number(weight, j)));
        sum += number(weight, j) / (37 * 11);
        squares += number(weight, j) * number(weight, j) / (37 * 11);
    }
    cr_assert(most > 0.24 && fabs(sum) < 0.03 && fabs(squares - 0.25 * 0.25 / 3) < 0.003, "%g %g %g", most, sum, squares);
    for (sow_index j = 0; j < 37; j++) cr_assert_eq(number(bias, j), 0.5);
    sum = squares = 0;
    for (sow_index j = 0; j < 600; j++) {
        sum += number(normal, j) / 600;
        squares += number(normal, j) * number(normal, j) / 600;
    }
    cr_assert(fabs(sum) < 0.3 && fabs(squares - 4) < 0.8, "%g %g", sum, squares);
    sow_params_destroy(p);
}

static int same_numbers(sow_tensor a, sow_tensor b)
{
    for (sow_index j = 0; j < a.rows * a.cols; j++)
        if (number(a, j) != number(b, j)) return 0;
    return 1;
}

Test(params, gives_every_matrix_a_stream_of_its_own)
{
    const sow_param_spec fewer[] = {spec[0], {"another", 4, 4, 0.1, 0}, spec[2]};
    sow_params *p = make(spec, 4, SOW_F64, 1, 2), *other = make(fewer, 3, SOW_F64, 1, 2), *seed = make(spec, 4, SOW_F64, 9, 2), *network = make(spec, 4, SOW_F64, 1, 3);
    const sow_param_spec twins[] = {{"a", 5, 5, 1, 0}, {"b", 5, 5, 1, 0}};
    sow_params *single = make(spec, 4, SOW_F32, 1, 2), *two = make(twins, 2, SOW_F32, 1, 2);
    cr_assert(!same_numbers(sow_params_value(two, 0), sow_params_value(two, 1)));
    sow_params_destroy(two);
    for (sow_index i = 0; i < 4; i += 2) {
        cr_assert(same_numbers(sow_params_value(p, i), sow_params_value(other, i)));
        cr_assert(!same_numbers(sow_params_value(p, i), sow_params_value(seed, i)));
        cr_assert(!same_numbers(sow_params_value(p, i), sow_params_value(network, i)));
        cr_assert(same_numbers(sow_params_value(p, i), sow_params_value(single, i)));
    }
    sow_params_destroy(p);
    sow_params_destroy(other);
    sow_params_destroy(seed);
    sow_params_destroy(network);
    sow_params_destroy(single);
}

Test(params, makes_an_empty_twin)
{
    sow_params *p = make(spec, 4, SOW_F32, 1, 2), *twin = NULL;
    cr_assert_eq(sow_params_like(&twin, p, NULL), SOW_OK);
    cr_assert_eq(sow_params_count(twin), 4);
    cr_assert_eq(sow_params_numbers(twin), sow_params_numbers(p));
    for (sow_index i = 0; i < 4; i++) {
        const sow_tensor a = sow_params_value(p, i), b = sow_params_value(twin, i);
        cr_assert_str_eq(sow_params_name(twin, i), sow_params_name(p, i));
        cr_assert(b.rows == a.rows && b.cols == a.cols && b.dtype == a.dtype && (uintptr_t)b.data % 64 == 0);
        for (sow_index j = 0; j < b.rows * b.cols; j++) cr_assert_eq(number(b, j), 0);
    }
    cr_assert_eq(sow_params_copy(twin, p, NULL), SOW_OK);
    cr_assert_eq(number(sow_params_value(twin, 2), 599), number(sow_params_value(p, 2), 599));
    sow_params_destroy(twin);
    sow_params_destroy(p);
}

Test(params, refuses_matrices_without_entries)
{
    sow_params *p = NULL;
    sow_error err = {0};
    const sow_param_spec none[] = {{"empty", 0, 3, 0, 0}}, huge[] = {{"huge", (sow_index)1 << 40, (sow_index)1 << 40, 0, 0}};
    cr_assert_eq(sow_params_create(&p, none, 1, SOW_F32, 1, 1, &err), SOW_E_SHAPE);
    cr_assert(p == NULL && strstr(err.message, "'empty'") && strstr(err.message, "[0, 3]"), "%s", err.message);
    cr_assert_eq(sow_params_create(&p, huge, 1, SOW_F32, 1, 1, &err), SOW_E_SHAPE);
    cr_assert_eq(sow_params_create(&p, spec, -1, SOW_F32, 1, 1, &err), SOW_E_ARG);
    cr_assert_eq(sow_params_create(&p, spec, 4, (sow_dtype)5, 1, 1, &err), SOW_E_ARG);
    p = make(spec, 0, SOW_F32, 1, 1);
    cr_assert_eq(sow_params_numbers(p), 0);
    sow_params_destroy(p);
}

Test(params, copies_values_to_a_twin_only)
{
    const sow_param_spec wider[] = {spec[0], spec[1], {"programs", 20, 31, -2, 0}, spec[3]};
    sow_params *p = make(spec, 4, SOW_F64, 1, 2), *twin = make(spec, 4, SOW_F64, 5, 5), *other = make(wider, 4, SOW_F64, 1, 2), *single = make(spec, 4, SOW_F32, 1, 2);
    sow_params *fewer = make(spec, 3, SOW_F64, 1, 2);
    sow_error err = {0};
    ((double *)sow_params_grad(p, 0).data)[3] = 7;
    cr_assert_eq(sow_params_copy(twin, p, &err), SOW_OK);
    for (sow_index i = 0; i < 4; i++) cr_assert(same_numbers(sow_params_value(twin, i), sow_params_value(p, i)));
    cr_assert_eq(number(sow_params_grad(twin, 0), 3), 0);
    cr_assert_eq(sow_params_copy(other, p, &err), SOW_E_SHAPE);
    cr_assert(strstr(err.message, "programs") && strstr(err.message, "[20, 30]") && strstr(err.message, "[20, 31]"), "%s", err.message);
    cr_assert_eq(sow_params_copy(single, p, &err), SOW_E_SHAPE);
    cr_assert_eq(sow_params_copy(fewer, p, &err), SOW_E_SHAPE);
    cr_assert(strstr(err.message, "4 parameters") != NULL, "%s", err.message);
    sow_params_destroy(p);
    sow_params_destroy(twin);
    sow_params_destroy(other);
    sow_params_destroy(single);
    sow_params_destroy(fewer);
}

/* ---- keeping ---- */

/* Two steps of Adam, so that there are moments. */
static void learn(sow_params *p)
{
    const sow_adam_options options = SOW_ADAM_INIT;
    for (int step = 0; step < 2; step++) {
        for (sow_index i = 0; i < sow_params_count(p); i++) {
            sow_tensor g = sow_params_grad(p, i);
            for (sow_index j = 0; j < g.rows * g.cols; j++)
                if (g.dtype == SOW_F32)
                    ((float *)g.data)[j] = (float)sin((double)(j + i));
                else
                    ((double *)g.data)[j] = sin((double)(j + i));
        }
        cr_assert_eq(sow_adam_step(p, &options, NULL, NULL, NULL), SOW_OK);
    }
}

Test(params, are_kept_bit_for_bit_with_their_moments)
{
    for (int single = 0; single < 2; single++) {
        sow_params *p = make(spec, 4, single ? SOW_F32 : SOW_F64, 1, 2), *back = make(spec, 4, single ? SOW_F32 : SOW_F64, 8, 8);
        sow_archive a = {0};
        sow_error err = {0};
        learn(p);
        cr_assert_eq(sow_params_save(&a, "model/net", p, 1, &err), SOW_OK, "%s", err.message);
        cr_assert_not_null(sow_archive_find(&a, "model/net/programs"));
        cr_assert_not_null(sow_archive_find(&a, "model/net/programs.m"));
        cr_assert_not_null(sow_archive_find(&a, "model/net/last.v"));
        cr_assert_eq(sow_params_load(back, &a, "model/net", 1, &err), SOW_OK, "%s", err.message);
        cr_assert_eq(sow_adam_steps(back), 2);
        learn(p); /* goes on the same way only if values, moments and steps came back */
        learn(back);
        for (sow_index i = 0; i < 4; i++) cr_assert(same_numbers(sow_params_value(back, i), sow_params_value(p, i)), "%s", sow_params_name(p, i));
        sow_archive_clear(&a);
        sow_params_destroy(p);
        sow_params_destroy(back);
    }
}

Test(params, are_kept_without_moments_when_asked)
{
    sow_params *p = make(spec, 4, SOW_F32, 1, 2), *back = make(spec, 4, SOW_F32, 8, 8);
    sow_archive a = {0};
    sow_error err = {0};
    learn(p);
    learn(back);
    cr_assert_eq(sow_params_save(&a, "net", p, 0, &err), SOW_OK);
    cr_assert_null(sow_archive_find(&a, "net/programs.m"));
    cr_assert_eq(sow_params_load(back, &a, "net", 0, &err), SOW_OK);
    cr_assert(same_numbers(sow_params_value(back, 2), sow_params_value(p, 2)));
    cr_assert_eq(sow_adam_steps(back), 2);
    cr_assert_eq(sow_params_load(back, &a, "net", 1, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, ".m") != NULL, "%s", err.message);
    sow_archive_clear(&a);
    sow_params_destroy(p);
    sow_params_destroy(back);
}

Test(params, refuse_an_archive_of_another_network_and_stay_as_they_were)
{
    const sow_param_spec wider[] = {{"encoder.weight", 37, 12, 0.25, 0}, spec[1], spec[2], spec[3]}, more[] = {spec[0], spec[1], spec[2], spec[3], {"new", 2, 2, 1, 0}};
    sow_params *p = make(spec, 4, SOW_F32, 1, 2), *twin = make(spec, 4, SOW_F32, 1, 2), *other = make(wider, 4, SOW_F32, 3, 3), *larger = make(more, 5, SOW_F32, 4, 4);
    sow_params *larger_twin = make(more, 5, SOW_F32, 4, 4), *twice = make(spec, 4, SOW_F64, 1, 2);
    sow_archive a = {0};
    sow_error err = {0};
    cr_assert_eq(sow_params_save(&a, "net", p, 1, &err), SOW_OK);
    cr_assert_eq(sow_params_load(other, &a, "net", 0, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "net/encoder.weight") && strstr(err.message, "11") && strstr(err.message, "12"), "%s", err.message);
    cr_assert_eq(sow_params_load(larger, &a, "net", 1, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "net/new") != NULL, "%s", err.message);
    for (sow_index i = 0; i < 5; i++) cr_assert(same_numbers(sow_params_value(larger, i), sow_params_value(larger_twin, i)));
    cr_assert_eq(sow_params_load(twice, &a, "net", 0, &err), SOW_E_DATA);
    cr_assert_eq(sow_params_load(twin, &a, "not", 0, &err), SOW_E_DATA);
    cr_assert_eq(sow_archive_put_integer(&a, "net/adam.steps", -4, &err), SOW_OK);
    cr_assert_eq(sow_params_load(twin, &a, "net", 1, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "-4") != NULL, "%s", err.message);
    sow_archive_clear(&a);
    sow_params_destroy(p);
    sow_params_destroy(twin);
    sow_params_destroy(other);
    sow_params_destroy(larger);
    sow_params_destroy(larger_twin);
    sow_params_destroy(twice);
}

static sow_status create_save_and_load(sow_error *err)
{
    sow_status st = SOW_OK;
    sow_params *p = NULL, *twin = NULL;
    sow_archive a = {0};
    SOW_TRY(sow_params_create(&p, spec, 4, SOW_F64, 1, 1, err));
    SOW_TRY(sow_params_like(&twin, p, err));
    SOW_TRY(sow_params_save(&a, "net", p, 1, err));
    SOW_TRY(sow_params_load(p, &a, "net", 1, err));
done:
    sow_archive_clear(&a);
    sow_params_destroy(twin);
    sow_params_destroy(p);
    return st;
}

Test(params, survive_a_failure_at_every_allocation)
{
    every_allocation_may_fail(create_save_and_load, 1);
}
