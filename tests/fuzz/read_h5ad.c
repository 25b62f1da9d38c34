#include "read_h5ad.h"

#include "fuzz.h"
#include "h5_program.h"
#include "read_cells.h"

#include "io/h5ad.h"
#include "io/inspect.h"
#include "io/source.h"

#include <string.h>

static size_t touch(char *const *text, sow_index n)
{
    size_t sum = 0;
    for (sow_index i = 0; text && i < n; i++) sum += text[i] ? strlen(text[i]) : 0;
    return sum;
}

static void read_whole(const char *path, int load_x)
{
    sow_error err = {0};
    sow_h5ad *a = NULL;
    sow_status st = sow_h5ad_read(&a, path, load_x, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (a != NULL), "a file exactly on success");
    if (!a) return;
    size_t sum = touch(a->obs_names, a->n_obs) + touch(a->var_names, a->n_vars);
    for (sow_index i = 0; i < a->n_obs; i++) fuzz_must(a->obs_names[i] != NULL, "every row has a name");
    for (sow_index j = 0; j < a->n_vars; j++) fuzz_must(a->var_names[j] != NULL, "every column has a name");
    for (sow_index k = 0; k < a->n_obs_columns; k++) {
        const sow_h5ad_column *c = &a->obs[k];
        fuzz_must((c->kind == SOW_COLUMN_STRING) == (c->text != NULL) && (c->kind != SOW_COLUMN_STRING) == (c->number != NULL), "a column is text or numbers");
        sum += touch(c->text, a->n_obs);
        for (sow_index i = 0; c->number && i < a->n_obs; i++) sum += c->number[i] > 0;
    }
    for (sow_index i = 0; a->x && i < a->n_obs * a->n_vars; i++) sum += a->x[i] > 0;
    fuzz_must(sum < SIZE_MAX && sow_h5ad_obs(a, "no such column") == NULL, "all of it can be read");
    sow_h5ad_destroy(a);
}

static void inspect(const char *path)
{
    sow_error err = {0};
    sow_inspection *in = NULL;
    fuzz_answer(sow_inspect_file(&in, path, &err), &err);
    sow_inspection_destroy(in);
}

static void read_source(const char *path, unsigned how)
{
    sow_readout_spec readout = {.kind = how & 1 ? SOW_READOUT_SCALAR : SOW_READOUT_PROFILE, .column = "n_counts", .transform = how & 2 ? "rank" : "none"};
    if (readout.kind == SOW_READOUT_SCALAR) readout.transform = "log1p";
    sow_source source = {.file = path, .role = SOW_ROLE_TARGET, .perturbation_column = how & 4 ? NULL : "perturbation", .control = "ctrl", .separator = "+",
                         .context_column = "context", .duplicates_allowed = 1};
    sow_error err = {0};
    sow_screen *screen = NULL;
    sow_dropped dropped = {0};
    fuzz_answer(sow_sources_read(&screen, &dropped, &source, 1, &readout, NULL, &err), &err);
    sow_screen_destroy(screen);
    sow_dropped_clear(&dropped);
}

void read_h5ad(const char *path, unsigned which, unsigned how)
{
    long before = h5_program_handles();
    which %= 6;
    if (which == 0 || which == 5) {
        read_whole(path, 0);
        read_whole(path, 1);
    }
    if (which == 1 || which == 5) inspect(path);
    if (which == 2 || which == 5) read_source(path, how);
    if (which == 3 || which == 5) read_cells(path, NULL, how);
    if (which == 4 || which == 5) read_cell_source(path, NULL, how);
    fuzz_must(h5_program_handles() == before, "every HDF5 handle is closed");
}
