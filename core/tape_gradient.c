/* The way back as values on the tape: each operation's contribution is made of operations, so that what comes out can be differentiated again. */
#include "core/memory.h"
#include "core/tape_internal.h"

/* Only what stands between `loss` and `wrt` is walked. */
static void mark_wanted(sow_tape *t, sow_var loss, const sow_var *wrt, sow_index n)
{
    for (sow_index v = 0; v < t->n; v++) t->node[v].wanted = 0;
    for (sow_index i = 0; i < n; i++) t->node[wrt[i]].wanted = 1;
    for (sow_var v = 0; v <= loss; v++)
        for (int i = 0; i < SOW_I_INPUTS; i++)
            if (t->node[v].in[i] != SOW_NO_VAR) t->node[v].wanted |= t->node[t->node[v].in[i]].wanted;
}

static void pass_on(sow_tape *t, sow_var v)
{
    sow_var *adjoint = t->adjoint;
    sow_var din[SOW_I_INPUTS] = {SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR};
    const sow_i_op *op = t->node[v].op;
    if (!op || !op->gradient) return;
    op->gradient(t, v, adjoint[v], din);
    for (int i = 0; i < SOW_I_INPUTS && t->status == SOW_OK; i++) {
        sow_var in = t->node[v].in[i];
        if (din[i] == SOW_NO_VAR || !t->node[in].wanted) continue;
        adjoint[in] = adjoint[in] == SOW_NO_VAR ? din[i] : sow_op_add(t, adjoint[in], din[i]);
    }
}

sow_status sow_tape_gradient(sow_tape *t, sow_var *out, sow_var loss, const sow_var *wrt, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++) out[i] = SOW_NO_VAR;
    for (sow_index i = 0; i < n; i++)
        if (sow_i_stopped(t, wrt[i], wrt[i], wrt[i])) return sow_tape_status(t, err);
    if (!sow_i_may_go_back(t, loss)) return sow_tape_status(t, err);
    mark_wanted(t, loss, wrt, n);
    if (!sow_i_check(t, sow_grow(&t->adjoint, &t->adjoint_capacity, (sow_index)loss + 1, sizeof *t->adjoint, &t->error))) return sow_tape_status(t, err);
    sow_var *adjoint = t->adjoint;
    for (sow_var v = 0; v <= loss; v++) adjoint[v] = SOW_NO_VAR;
    adjoint[loss] = sow_tape_number(t, 1);
    for (sow_var v = loss; v >= 0 && t->status == SOW_OK; v--)
        if (adjoint[v] != SOW_NO_VAR && t->node[v].wanted) pass_on(t, v);
    for (sow_index i = 0; i < n && t->status == SOW_OK; i++) {
        sow_tensor x = sow_i_value(t, wrt[i]);
        sow_var reached = wrt[i] <= loss ? adjoint[wrt[i]] : SOW_NO_VAR;
        out[i] = reached != SOW_NO_VAR ? reached : sow_i_constant(t, 0, x.rows, x.cols);
    }
    return sow_tape_status(t, err);
}
