/* Graphs of nearest neighbours against sorting all distances, and pictures of them. */
#include "models/neighbours.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"

enum { N = 1500, K = 6, M = 9, GROUPS = 3 };

static sow_error err;
static double z[N * K];

#define MUST(call) cr_assert_eq((call), SOW_OK, "%s", err.message)

/* Three groups apart from each other; some nodes are copies. */
static void make_groups(void)
{
    sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < N * K; i++) z[i] = sow_rng_normal(&rng) + (i % K == i / K % GROUPS ? 12 : 0);
    memcpy(&z[(N - 3) * K], &z[(N - 6) * K], 3 * K * sizeof *z);
}

static double square(int i, int j)
{
    double sum = 0;
    for (int c = 0; c < K; c++) sum += pow(z[i * K + c] - z[j * K + c], 2);
    return sum;
}

/* Is j among the nearest of i: fewer than M others come before it? */
static int naive_near(int i, int j)
{
    int before = 0;
    for (int k = 0; k < N; k++) before += k != i && (square(i, k) < square(i, j) || (square(i, k) == square(i, j) && k < j));
    return before < M;
}

Test(neighbours, are_those_of_sorting_all_distances)
{
    sow_graph g;
    static int joined[N][2 * M * 8], n[N];
    make_groups();
    MUST(sow_graph_of_neighbours(&g, z, N, K, M, NULL, &err));
    cr_assert_eq(g.n, N);
    for (sow_index e = 0; e < g.n_edges; e++)
        for (int side = 0; side < 2; side++) {
            const sow_index i = g.end[2 * e + side];
            cr_assert_lt(n[i], 2 * M * 8);
            joined[i][n[i]++] = (int)g.end[2 * e + !side];
        }
    for (int i = 0; i < N; i += 211) {
        int wanted = 0;
        for (int j = 0; j < N; j++) wanted += j != i && (naive_near(i, j) || naive_near(j, i));
        cr_expect_eq(n[i], wanted, "node %d has %d neighbours, not %d", i, n[i], wanted);
        for (int k = 0; k < n[i]; k++) cr_expect(naive_near(i, joined[i][k]) || naive_near(joined[i][k], i));
    }
    sow_graph_clear(&g);
}

Test(neighbours, few_nodes_are_all_joined)
{
    sow_graph g;
    make_groups();
    MUST(sow_graph_of_neighbours(&g, z, 4, K, M, NULL, &err));
    cr_expect_eq(g.n_edges, 6);
    sow_graph_clear(&g);
}

/* Groups that are apart stay apart, and the same graph gives the same picture. */
Test(neighbours, are_neighbours_in_the_picture)
{
    static double xy[2 * N], again[2 * N];
    sow_graph g;
    int own = 0;
    make_groups();
    MUST(sow_graph_of_neighbours(&g, z, N, K, M, NULL, &err));
    for (int i = 0; i < 2 * N; i++) xy[i] = again[i] = z[i / 2 * K + i % 2];
    MUST(sow_graph_layout(xy, &g, 3, NULL, &err));
    MUST(sow_graph_layout(again, &g, 3, NULL, &err));
    cr_expect_arr_eq(xy, again, sizeof xy);
    for (int i = 0; i < N; i += 7) {
        int nearest = -1;
        double least = INFINITY;
        for (int j = 0; j < N; j++) {
            const double s = pow(xy[2 * i] - xy[2 * j], 2) + pow(xy[2 * i + 1] - xy[2 * j + 1], 2);
            cr_assert(isfinite(s));
            if (j != i && s < least) {
                least = s;
                nearest = j;
            }
        }
        own += nearest % GROUPS == i % GROUPS;
    }
    cr_expect_geq(own, (N + 6) / 7 * 98 / 100);
    sow_graph_clear(&g);
}

Test(neighbours, of_copies_stay_finite)
{
    double same[20 * 2] = {0}, xy[40] = {0};
    sow_graph g;
    MUST(sow_graph_of_neighbours(&g, same, 20, 2, 5, NULL, &err));
    MUST(sow_graph_layout(xy, &g, 3, NULL, &err));
    for (int i = 0; i < 40; i++) cr_expect(isfinite(xy[i]));
    sow_graph_clear(&g);
}

Test(neighbours, give_way_when_memory_runs_out)
{
    sow_graph g;
    make_groups();
    for (sow_index n = 0; n < 4; n++) {
        sow_memory_fail_after(n);
        const sow_status st = sow_graph_of_neighbours(&g, z, 40, K, M, NULL, &err);
        sow_memory_fail_after(-1);
        cr_expect_eq(st, SOW_E_NOMEM);
        cr_expect_null(g.end);
    }
}
