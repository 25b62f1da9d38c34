#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "io/file.h"
#include "io/inspect.h"

static const char *const kind_names[] = {[SOW_COLUMN_STRING] = "text", [SOW_COLUMN_NUMBER] = "number", [SOW_COLUMN_BOOL] = "yes/no"};

static void print_columns(const char *of, const sow_inspect_column *column, sow_index n)
{
    if (n > 0) printf("\n%-36s %-7s %9s %8s  %-22s %s\n", of, "type", "distinct", "missing", "example", "looks like");
    for (sow_index i = 0; i < n; i++) {
        const sow_inspect_column *c = &column[i];
        printf("%-36s %-7s %9lld %8lld  %-22.22s %s\n", c->name, kind_names[c->kind], (long long)c->distinct, (long long)c->missing, c->example, c->role);
    }
}

static void print_matrices(const sow_inspection *in)
{
    printf("\n%-20s %-12s %10s %8s %14s %8s  %s\n", "matrix", "layout", "cells", "genes", "stored", "density", "values");
    for (sow_index i = 0; i < in->n_matrices; i++) {
        const sow_inspect_matrix *m = &in->matrix[i];
        if (m->problem) {
            printf("%-20s cannot be read: %s\n", m->name, m->problem);
            continue;
        }
        const double all = (double)m->n_cells * (double)m->n_genes;
        printf("%-20s %-12s %10lld %8lld %14lld %7.2f%%  %s", m->name, m->layout, (long long)m->n_cells, (long long)m->n_genes, (long long)m->n_stored,
               all > 0 ? 100 * (double)m->n_stored / all : 0.0, sow_numbers_name(m->numbers));
        if (m->n_sampled > 0) printf(", %g to %g in a sample", m->low, m->high);
        printf("%s\n", i == in->chosen && in->n_matrices > 1 ? "  <- used by init" : "");
    }
}

static void print_contexts(const sow_inspection *in)
{
    char enough[40];
    snprintf(enough, sizeof enough, "with >= %d cells", SOW_INSPECT_ENOUGH);
    if (in->n_contexts > 0)
        printf("\n%-20s %10s %9s %14s %17s  %s\n", "context", "cells", "controls", "perturbations", enough, "cells of each (least, median, most)");
    for (sow_index i = 0; i < in->n_contexts; i++) {
        const sow_inspect_context *c = &in->context_found[i];
        printf("%-20s %10lld %9lld %14lld %17lld  %lld, %lld, %lld\n", c->name, (long long)c->cells, (long long)c->controls, (long long)c->perturbations,
               (long long)c->enough, (long long)c->low, (long long)c->median, (long long)c->high);
    }
}

static void print_text(const sow_inspection *in)
{
    printf("%s: %s, %lld x %lld\n%s\n", in->path, sow_file_kind_name(in->kind), (long long)in->rows, (long long)in->width, in->summary);
    if (in->is_cells) print_matrices(in);
    print_columns(in->labels ? in->labels : in->is_cells ? "column of obs" : "column", in->column, in->n_columns);
    if (in->is_cells) {
        print_columns("column of var", in->var_column, in->n_var_columns);
        print_contexts(in);
    }
    if (in->readout_kind) printf("\nnext: sower init %s\n", in->path);
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *json_columns(const sow_inspect_column *column, sow_index n)
{
    json_t *columns = json_array();
    for (sow_index i = 0; i < n; i++) {
        const sow_inspect_column *c = &column[i];
        json_array_append_new(columns, json_pack("{s:o,s:s,s:I,s:I,s:o,s:s}", "name", text_or_null(c->name), "type", kind_names[c->kind], "distinct",
                                                 (json_int_t)c->distinct, "missing", (json_int_t)c->missing, "example", text_or_null(c->example),
                                                 "role", c->role));
    }
    return columns;
}

static json_t *number_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *json_matrices(const sow_inspection *in)
{
    json_t *list = json_array();
    for (sow_index i = 0; i < in->n_matrices; i++) {
        const sow_inspect_matrix *m = &in->matrix[i];
        json_array_append_new(list, json_pack("{s:o,s:o,s:I,s:I,s:I,s:s,s:o,s:o,s:o}", "name", text_or_null(m->name), "layout", text_or_null(m->layout),
                                              "cells", (json_int_t)m->n_cells, "genes", (json_int_t)m->n_genes, "stored", (json_int_t)m->n_stored, "values",
                                              sow_numbers_name(m->numbers), "low", number_or_null(m->low), "high", number_or_null(m->high), "problem",
                                              text_or_null(m->problem)));
    }
    return list;
}

static json_t *json_contexts(const sow_inspection *in)
{
    json_t *list = json_array();
    for (sow_index i = 0; i < in->n_contexts; i++) {
        const sow_inspect_context *c = &in->context_found[i];
        json_array_append_new(list, json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "name", text_or_null(c->name), "cells", (json_int_t)c->cells, "controls",
                                              (json_int_t)c->controls, "perturbations", (json_int_t)c->perturbations, "with_enough_cells",
                                              (json_int_t)c->enough, "least_cells", (json_int_t)c->low, "median_cells", (json_int_t)c->median,
                                              "most_cells", (json_int_t)c->high));
    }
    return list;
}

static void add_cells(json_t *j, const sow_inspection *in)
{
    json_object_set_new(j, "matrices", json_matrices(in));
    json_object_set_new(j, "matrix", text_or_null(in->chosen >= 0 ? in->matrix[in->chosen].name : NULL));
    json_object_set_new(j, "var_columns", json_columns(in->var_column, in->n_var_columns));
    json_object_set_new(j, "contexts", json_contexts(in));
    json_object_set_new(j, "target", text_or_null(in->target >= 0 ? in->context_found[in->target].name : NULL));
    json_object_set_new(j, "guide_column", text_or_null(in->guide_column));
    json_object_set_new(j, "replicate_column", text_or_null(in->replicate_column));
    json_object_set_new(j, "technical_batch_column", text_or_null(in->batch_column));
    json_object_set_new(j, "gene_names_column", text_or_null(in->gene_column));
    json_object_set_new(j, "labels", text_or_null(in->labels));
}

static int print_json(const sow_inspection *in)
{
    json_t *j = json_pack("{s:o,s:s,s:I,s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "file", text_or_null(in->path), "kind", sow_file_kind_name(in->kind),
                          "rows", (json_int_t)in->rows, "width", (json_int_t)in->width, "summary", in->summary, "columns",
                          json_columns(in->column, in->n_columns), "readout_kind", text_or_null(in->readout_kind), "perturbation_column",
                          text_or_null(in->perturbation_column), "control", text_or_null(in->control), "readout_column",
                          text_or_null(in->readout_column), "cells_column", text_or_null(in->cells_column), "context_column",
                          text_or_null(in->context_column), "perturbations", (json_int_t)in->n_perturbations);
    if (j && in->is_cells) add_cells(j, in);
    char *text = j ? json_dumps(j, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(j);
    if (!text) {
        fprintf(stderr, "error: out of memory\n");
        return EXIT_FAILED;
    }
    puts(text);
    free(text);
    return EXIT_DONE;
}

int cmd_inspect(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_inspection *in = NULL;
    int code = EXIT_DONE;
    (void)env;
    const char *file = args->positional[0];
    sow_status st = sow_file_exists(file) ? sow_inspect_file(&in, file, &err) : SOW_ERROR(&err, SOW_E_DATA, "%s: no such file", file);
    if (st != SOW_OK) return cli_fail(&err);
    if (args->json) code = print_json(in);
    else print_text(in);
    sow_inspection_destroy(in);
    return code;
}
