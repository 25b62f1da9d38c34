/* Operations of the tape that move numbers, on every backend; see tape_check.h. */
#include "tape_check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- gather and scatter ---- */

static const sow_index repeated[] = {3, 0, 3, 3, 1};

static sow_var build_gather(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_gather(t, x[0], c->user, c->rows);
}

static void naive_gather(double *y, double *const *x, const check_case *c)
{
    const sow_index *index = c->user;
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++) y[i * c->cols + j] = x[0][index[i] * c->cols + j];
}

static sow_var build_scatter(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_scatter_add(t, x[0], c->user, c->rows);
}

static void naive_scatter(double *y, double *const *x, const check_case *c)
{
    const sow_index *index = c->user;
    for (sow_index i = 0; i < c->in[0].rows; i++)
        for (sow_index j = 0; j < c->cols; j++) y[index[i] * c->cols + j] += x[0][i * c->cols + j];
}

static sow_index many[400];

__attribute__((constructor)) static void fill_many(void)
{
    for (sow_index i = 0; i < 400; i++) many[i] = i * i % 37;
}

static const check_case gathers[] = {
    {.name = "gather with repeats", .build = build_gather, .naive = naive_gather, .n_in = 1, .in = {{4, 3}}, .rows = 5, .cols = 3, .user = repeated},
    {.name = "gather of nothing", .build = build_gather, .naive = naive_gather, .n_in = 1, .in = {{4, 3}}, .rows = 0, .cols = 3, .user = repeated},
    {.name = "gather of one column", .build = build_gather, .naive = naive_gather, .n_in = 1, .in = {{4, 1}}, .rows = 5, .cols = 1, .user = repeated},
    {.name = "a large gather", .build = build_gather, .naive = naive_gather, .n_in = 1, .in = {{40, 600}}, .rows = 400, .cols = 600, .user = many, .large = 1},
    {.name = "scatter with repeats", .build = build_scatter, .naive = naive_scatter, .n_in = 1, .in = {{5, 3}}, .rows = 4, .cols = 3, .user = repeated},
    {.name = "scatter of nothing", .build = build_scatter, .naive = naive_scatter, .n_in = 1, .in = {{0, 3}}, .rows = 4, .cols = 3, .user = repeated},
    {.name = "a large scatter", .build = build_scatter, .naive = naive_scatter, .n_in = 1, .in = {{400, 600}}, .rows = 40, .cols = 600, .user = many, .large = 1},
};

Test(ops_moves, gather_and_scatter_are_each_others_transpose)
{
    check_table(gathers, COUNT(gathers));
}

/* ---- pieces and joins ---- */

typedef struct {
    sow_index first, n;
} range;

enum { COLUMNS, ROWS, TRANSPOSE, RESHAPE, JOIN_COLUMNS, JOIN_ROWS, SELF_JOIN };

static sow_var build_move(sow_tape *t, const sow_var *x, const check_case *c)
{
    const range *r = c->user;
    switch (c->kind) {
    case COLUMNS:
        return sow_op_columns(t, x[0], r->first, r->n);
    case ROWS:
        return sow_op_rows(t, x[0], r->first, r->n);
    case TRANSPOSE:
        return sow_op_transpose(t, x[0]);
    case RESHAPE:
        return sow_op_reshape(t, x[0], c->rows, c->cols);
    case JOIN_COLUMNS:
        return sow_op_join_columns(t, x[0], x[1]);
    case JOIN_ROWS:
        return sow_op_join_rows(t, x[0], x[1]);
    default:
        return sow_op_join_columns(t, sow_op_rows(t, x[0], 0, 2), sow_op_rows(t, x[0], 1, 2));
    }
}

static double moved(double *const *x, const check_case *c, sow_index i, sow_index j)
{
    const range *r = c->user;
    const sow_index n = c->in[0].cols, flat = i * c->cols + j;
    switch (c->kind) {
    case COLUMNS:
        return x[0][i * n + r->first + j];
    case ROWS:
        return x[0][(r->first + i) * n + j];
    case TRANSPOSE:
        return x[0][j * n + i];
    case RESHAPE:
        return x[0][flat];
    case JOIN_COLUMNS:
        return j < n ? x[0][i * n + j] : x[1][i * c->in[1].cols + j - n];
    case JOIN_ROWS:
        return i < c->in[0].rows ? x[0][flat] : x[1][flat - c->in[0].rows * n];
    default:
        return j < n ? x[0][i * n + j] : x[0][(i + 1) * n + j - n];
    }
}

static void naive_move(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++) y[i * c->cols + j] = moved(x, c, i, j);
}

static const range middle = {1, 2}, all = {0, 4}, none = {2, 0};

#define MOVE(name_, kind_, ar, ac, br, bc, m, n, r, big)                                                                                                                                   \
    {.name = name_, .build = build_move, .naive = naive_move, .n_in = (br) || (bc) ? 2 : 1, .in = {{ar, ac}, {br, bc}}, .rows = m, .cols = n, .kind = kind_, .user = r, .large = big}

static const check_case moves[] = {
    MOVE("columns", COLUMNS, 3, 4, 0, 0, 3, 2, &middle, 0),
    MOVE("all columns", COLUMNS, 3, 4, 0, 0, 3, 4, &all, 0),
    MOVE("no columns", COLUMNS, 3, 4, 0, 0, 3, 0, &none, 0),
    MOVE("rows", ROWS, 4, 3, 0, 0, 2, 3, &middle, 0),
    MOVE("all rows", ROWS, 4, 3, 0, 0, 4, 3, &all, 0),
    MOVE("no rows", ROWS, 4, 3, 0, 0, 0, 3, &none, 0),
    MOVE("transpose", TRANSPOSE, 3, 4, 0, 0, 4, 3, NULL, 0),
    MOVE("transpose of a row", TRANSPOSE, 1, 5, 0, 0, 5, 1, NULL, 0),
    MOVE("a large transpose", TRANSPOSE, 301, 200, 0, 0, 200, 301, NULL, 1),
    MOVE("reshape", RESHAPE, 3, 4, 0, 0, 2, 6, NULL, 0),
    MOVE("reshape to a column", RESHAPE, 3, 2, 0, 0, 6, 1, NULL, 0),
    MOVE("columns joined", JOIN_COLUMNS, 3, 2, 3, 4, 3, 6, NULL, 0),
    MOVE("columns joined to nothing", JOIN_COLUMNS, 3, 2, 3, 0, 3, 2, NULL, 0),
    MOVE("rows joined", JOIN_ROWS, 2, 3, 4, 3, 6, 3, NULL, 0),
    MOVE("rows joined to nothing", JOIN_ROWS, 2, 3, 0, 3, 2, 3, NULL, 0),
    MOVE("many columns joined", JOIN_COLUMNS, 80, 300, 80, 411, 80, 711, NULL, 1),
    MOVE("overlapping rows joined", SELF_JOIN, 3, 4, 0, 0, 2, 8, NULL, 0),
};

Test(ops_moves, pieces_and_joins_agree_with_plain_loops_and_differences)
{
    check_table(moves, COUNT(moves));
}

/* ---- errors ---- */

Test(ops_moves, ranges_and_indices_outside_are_named)
{
    sow_tape *t = NULL;
    const double x[24] = {0};
    const sow_index high[] = {0, 3}, low[] = {-1};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
#define M(rows, cols) sow_tape_constant(t, x, rows, cols)
    CHECK_STOPPED(t, sow_op_gather(t, M(3, 2), high, 2), SOW_E_ARG, "gather", "index 1", "row 3", "3 rows");
    CHECK_STOPPED(t, sow_op_gather(t, M(3, 2), low, 1), SOW_E_ARG, "gather", "row -1");
    CHECK_STOPPED(t, sow_op_gather(t, M(3, 2), low, -1), SOW_E_SHAPE, "gather");
    CHECK_STOPPED(t, sow_op_scatter_add(t, M(2, 3), high, 3), SOW_E_ARG, "scatter_add", "row 3");
    CHECK_STOPPED(t, sow_op_columns(t, M(3, 4), 3, 2), SOW_E_SHAPE, "columns", "2 from 3", "[3, 4]");
    CHECK_STOPPED(t, sow_op_columns(t, M(3, 4), -1, 2), SOW_E_SHAPE, "columns");
    CHECK_STOPPED(t, sow_op_rows(t, M(3, 4), 2, 2), SOW_E_SHAPE, "rows", "2 from 2");
    CHECK_STOPPED(t, sow_op_rows(t, M(3, 4), 0, -1), SOW_E_SHAPE, "rows");
    CHECK_STOPPED(t, sow_op_reshape(t, M(3, 4), 5, 2), SOW_E_SHAPE, "reshape", "[3, 4]", "[5, 2]");
    CHECK_STOPPED(t, sow_op_reshape(t, M(3, 4), -3, -4), SOW_E_SHAPE, "reshape");
    CHECK_STOPPED(t, sow_op_reshape(t, M(0, 4), (sow_index)1 << 62, 4), SOW_E_SHAPE, "reshape");
    CHECK_STOPPED(t, sow_op_join_columns(t, M(3, 4), M(4, 3)), SOW_E_SHAPE, "join_columns", "[3, 4]", "[4, 3]");
    CHECK_STOPPED(t, sow_op_join_rows(t, M(3, 4), M(4, 3)), SOW_E_SHAPE, "join_rows", "[4, 3]");
#undef M
    sow_tape_destroy(t);
}
