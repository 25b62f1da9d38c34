#include "core/linalg.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double number(uint32_t stream, sow_index i)
{
    const double x = sin((double)(i + 1) * 12.9898 + (double)stream * 78.233) * 43758.5453;
    return 2 * (x - floor(x)) - 1;
}

typedef struct {
    sow_index m, n, k;
} shape;

/* The tape's: thin one way or the other, small with a long inside, tiny, and those just beyond a tile. */
static const shape shapes[] = {{32, 512, 5000}, {512, 1400, 32}, {64, 1300, 100}, {1100, 100, 64}, {64, 100, 3000}, {32, 1030, 64}, {1, 1, 1}, {3, 7, 2}, {257, 129, 3}, {1025, 2, 5}, {33, 65, 1200}, {300, 300, 40}};

typedef struct {
    sow_dtype dtype;
    int trans_a, trans_b;
    shape s;
    void *a, *b, *c;
} product_case;

static void put(void *at, sow_dtype dtype, sow_index i, double x)
{
    if (dtype == SOW_F32)
        ((float *)at)[i] = (float)x;
    else
        ((double *)at)[i] = x;
}

static double get(const void *at, sow_dtype dtype, sow_index i)
{
    return dtype == SOW_F32 ? (double)((const float *)at)[i] : ((const double *)at)[i];
}

static void *filled(sow_dtype dtype, sow_index n, uint32_t stream)
{
    void *p = malloc((size_t)n * sow_dtype_size(dtype));
    cr_assert(p);
    for (sow_index i = 0; i < n; i++) put(p, dtype, i, number(stream, i));
    return p;
}

static product_case made(sow_dtype dtype, int trans_a, int trans_b, shape s)
{
    return (product_case){dtype, trans_a, trans_b, s, filled(dtype, s.m * s.k, 1), filled(dtype, s.k * s.n, 2), filled(dtype, s.m * s.n, 3)};
}

static void cleared(product_case *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
}

static void run(product_case *p, sow_threads *threads, double alpha, double beta)
{
    sow_error err = {0};
    const sow_index lda = p->trans_a ? p->s.m : p->s.k, ldb = p->trans_b ? p->s.k : p->s.n;
    cr_assert_eq(sow_product(threads, p->dtype, p->trans_a, p->trans_b, p->s.m, p->s.n, p->s.k, alpha, p->a, lda, p->b, ldb, beta, p->c, p->s.n, &err), SOW_OK, "%s", err.message);
}

/* Some entries of every tile, by their definition. */
static void check_entries(const product_case *p, double alpha, double beta)
{
    const shape s = p->s;
    const sow_index row_step = s.m / 37 + 1, column_step = s.n / 41 + 1;
    for (sow_index i = 0; i < s.m; i += row_step)
        for (sow_index j = 0; j < s.n; j += column_step) {
            double sum = 0;
            for (sow_index l = 0; l < s.k; l++)
                sum += get(p->a, p->dtype, p->trans_a ? l * s.m + i : i * s.k + l) * get(p->b, p->dtype, p->trans_b ? j * s.k + l : l * s.n + j);
            const double start = p->dtype == SOW_F32 ? (double)(float)number(3, i * s.n + j) : number(3, i * s.n + j);
            const double expected = alpha * sum + beta * start, given = get(p->c, p->dtype, i * s.n + j), tolerance = (p->dtype == SOW_F32 ? 1e-6 : 1e-14) * (1 + sqrt((double)s.k));
            cr_assert(fabs(given - expected) <= tolerance, "[%lld, %lld, %lld] %d%d at %lld, %lld: %.15g, not %.15g", (long long)s.m, (long long)s.n, (long long)s.k, p->trans_a, p->trans_b,
                      (long long)i, (long long)j, given, expected);
        }
}

Test(product, equals_its_definition_at_every_shape_of_the_tape)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = 0; kind < 8; kind++) {
            const double alpha = kind & 4 ? -0.5 : 1, beta = kind & 4 ? 1 : 0;
            product_case p = made(kind & 1 ? SOW_F64 : SOW_F32, (kind & 2) != 0, (kind & 4) != 0, shapes[i]);
            run(&p, NULL, alpha, beta);
            check_entries(&p, alpha, beta);
            cleared(&p);
        }
}

Test(product, has_the_same_bits_for_any_number_of_threads)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = 0; kind < 2; kind++) {
            product_case alone = made(kind ? SOW_F64 : SOW_F32, 1, 0, shapes[i]);
            run(&alone, NULL, 1, 0);
            for (int n = 2; n <= 3; n++) {
                sow_threads *threads = NULL;
                product_case p = made(kind ? SOW_F64 : SOW_F32, 1, 0, shapes[i]);
                cr_assert_eq(sow_threads_create(&threads, n, NULL), SOW_OK);
                run(&p, threads, 1, 0);
                cr_assert_eq(memcmp(p.c, alone.c, (size_t)(p.s.m * p.s.n) * sow_dtype_size(p.dtype)), 0);
                sow_threads_destroy(threads);
                cleared(&p);
            }
            cleared(&alone);
        }
}

Test(product, of_nothing_clears_or_keeps_what_was_there)
{
    double c[2] = {3, 4}, x = 1;
    sow_error err = {0};
    cr_assert_eq(sow_product(NULL, SOW_F64, 0, 0, 1, 2, 0, 1, &x, 1, &x, 2, 1, c, 2, &err), SOW_OK);
    cr_assert(c[0] == 3 && c[1] == 4);
    cr_assert_eq(sow_product(NULL, SOW_F64, 0, 0, 1, 2, 0, 1, &x, 1, &x, 2, 0, c, 2, &err), SOW_OK);
    cr_assert(c[0] == 0 && c[1] == 0);
    cr_assert_eq(sow_product(NULL, SOW_F64, 0, 0, 0, 2, 1, 1, &x, 1, &x, 2, 0, c, 2, &err), SOW_OK);
}

Test(product, refuses_leading_dimensions_that_rows_do_not_fit)
{
    double x[8] = {0};
    sow_error err = {0};
    cr_assert_eq(sow_product(NULL, SOW_F64, 0, 0, 2, 2, 2, 1, x, 1, x, 2, 0, x + 4, 2, &err), SOW_E_SHAPE);
    cr_assert_eq(sow_product(NULL, SOW_F64, 0, 0, -1, 2, 2, 1, x, 2, x, 2, 0, x + 4, 2, &err), SOW_E_SHAPE);
}
