#include "io/config.h"

#include "core/memory.h"
#include "io/config_internal.h"
#include "io/file.h"
#include "io/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- arena */

sow_status sow_i_arena_create(sow_i_arena **out, sow_error *err)
{
    *out = sow_calloc(1, sizeof **out);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory reading a campaign file");
}

void sow_i_arena_destroy(sow_i_arena *arena)
{
    if (!arena) return;
    for (sow_index i = 0; i < arena->n; i++)
        free(arena->block[i]);
    free(arena->block);
    free(arena->path);
    free(arena);
}

void *sow_i_arena_new(sow_i_arena *arena, size_t bytes)
{
    if (sow_grow(&arena->block, &arena->capacity, arena->n + 1, sizeof *arena->block, NULL) != SOW_OK) return NULL;
    void *p = sow_calloc((sow_index)bytes, 1);
    if (p) arena->block[arena->n++] = p;
    return p;
}

char *sow_i_arena_text(sow_i_arena *arena, const char *text, size_t n)
{
    char *s = sow_i_arena_new(arena, n + 1);
    if (s) memcpy(s, text, n);
    return s;
}

/* ---- problems */

/* Note a problem whose text already says where; `text` is taken. */
static void add_problem(sow_i_reader *r, char *text, int is_set, long line, long column)
{
    if (!text || sow_grow(&r->problem, &r->capacity, r->n_problems + 1, sizeof *r->problem, NULL) != SOW_OK) {
        free(text);
        r->failed = 1;
        return;
    }
    r->problem[r->n_problems] = (sow_i_problem){text, is_set, line, column, r->n_problems};
    r->n_problems++;
}

static void add_at(sow_i_reader *r, const char *set, long line, long column, const char *format, va_list args) SOW_PRINTF(5, 0);
static void add_at(sow_i_reader *r, const char *set, long line, long column, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *what = n < 0 ? NULL : sow_calloc(n + 1, 1);
    if (!what) {
        r->failed = 1;
        return;
    }
    vsnprintf(what, (size_t)n + 1, format, args);
    add_problem(r, set ? sow_format("--set %s: %s", set, what) : sow_format("%s:%ld:%ld: %s", r->path, line, column, what),
                set != NULL, line, column);
    free(what);
}

void sow_i_problem_at(sow_i_reader *r, const sow_i_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_at(r, node->set, node->line, node->column, format, args);
    va_end(args);
}

void sow_i_problem_at_key(sow_i_reader *r, const sow_i_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_at(r, node->key_line ? NULL : node->set, node->key_line, node->key_column, format, args);
    va_end(args);
}

void sow_i_problem_at_mark(sow_i_reader *r, long line, long column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_at(r, NULL, line, column, format, args);
    va_end(args);
}

/* Deepest node there is on the way to `path`. A mapping standing without its list counts as the list's entry 0. */
static const sow_i_node *locate(const sow_i_node *root, const char *path)
{
    const sow_i_node *node = root;
    while (*path) {
        const sow_i_node *next;
        if (*path == '[') {
            char *end;
            long i = strtol(path + 1, &end, 10);
            next = node->kind == SOW_NODE_MAPPING && i == 0 ? node : sow_i_node_item(node, i);
            path = *end == ']' ? end + 1 : end;
        } else {
            char name[64];
            size_t n = strcspn(path, ".[");
            snprintf(name, sizeof name, "%.*s", (int)n, path);
            next = sow_i_node_child(node, name);
            path += n;
        }
        if (*path == '.') path++;
        if (!next) break;
        node = next;
    }
    return node;
}

void sow_i_problem_at_path(sow_i_reader *r, const sow_i_node *root, const char *path, const char *format, ...)
{
    const sow_i_node *node = locate(root, path);
    va_list args;
    va_start(args, format);
    add_at(r, node->set, node->line, node->column, format, args);
    va_end(args);
}

static int compare_problems(const void *a, const void *b)
{
    const sow_i_problem *p = a, *q = b;
    if (p->is_set != q->is_set) return p->is_set - q->is_set;
    if (p->line != q->line) return p->line < q->line ? -1 : 1;
    if (p->column != q->column) return p->column < q->column ? -1 : 1;
    return p->order < q->order ? -1 : p->order > q->order;
}

/* All problems of the reader: the first into err, all into `*all`. */
static sow_status report_problems(sow_i_reader *r, char **all, sow_error *err)
{
    sow_text t = {0};
    qsort(r->problem, (size_t)r->n_problems, sizeof *r->problem, compare_problems);
    for (sow_index i = 0; i < r->n_problems; i++) {
        if (i) sow_text_append(&t, "\n");
        sow_text_append(&t, r->problem[i].text);
    }
    if (t.failed || !all) sow_text_clear(&t);
    if (all) *all = t.text;
    return SOW_ERROR(err, SOW_E_CONFIG, "%s", r->problem[0].text);
}

static void reader_clear(sow_i_reader *r)
{
    for (sow_index i = 0; i < r->n_problems; i++)
        free(r->problem[i].text);
    free(r->problem);
}

/* ---- reading */

/* A file that is not there is a wrong command line; one that cannot be read is trouble with the machine. */
static sow_status read_text(char **out, size_t *size, const sow_i_reader *r, sow_error *err)
{
    const char *path = r->path;
    struct stat s;
    int found = stat(path, &s) == 0;
    if (!found && (errno == ENOENT || errno == ENOTDIR))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: no such file; %s", path, r->schema->empty);
    if (found && S_ISDIR(s.st_mode)) return SOW_ERROR(err, SOW_E_CONFIG, "%s: a folder, not %s", path, r->schema->is);
    return sow_file_read_text(out, size, path, err);
}

static void read_tree(sow_i_reader *r, void *config, void (*check)(sow_i_reader *r, void *config, const sow_i_node *root), const char *text, size_t size,
                      const char *const *sets, sow_index n_sets)
{
    sow_i_node *root = sow_i_yaml_parse(r, text, size, NULL);
    if (!root) return;
    if (root->kind != SOW_NODE_MAPPING) {
        sow_i_problem_at(r, root, "%s is a mapping of keys (`sower: 1`, `%s: ...`)", r->schema->is, r->schema->sample);
        return;
    }
    for (sow_index i = 0; i < n_sets && !r->failed; i++) {
        const char *set = sow_i_arena_text(r->arena, sets[i], strlen(sets[i]));
        if (set)
            sow_i_config_set(r, root, set);
        else
            r->failed = 1;
    }
    if (!r->failed) sow_i_config_fill(r, config, root);
    if (!r->failed) check(r, config, root);
}

sow_status sow_i_reader_begin(sow_i_reader *r, const char *path, const sow_i_schema *schema, sow_error *err)
{
    sow_status st = SOW_OK;
    char *folder = NULL;
    *r = (sow_i_reader){.schema = schema};
    SOW_TRY(sow_i_arena_create(&r->arena, err));
    folder = sow_path_dirname(path);
    r->path = sow_i_arena_text(r->arena, path, strlen(path));
    r->folder = folder ? sow_i_arena_text(r->arena, folder, strlen(folder)) : NULL;
    if (!r->path || !r->folder) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading '%s'", path);
done:
    free(folder);
    return st;
}

sow_status sow_i_config_load(sow_i_reader *r, void *config, void (*check)(sow_i_reader *r, void *config, const sow_i_node *root), const char *const *sets, sow_index n_sets, char **problems,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL;
    size_t size = 0;
    SOW_TRY(read_text(&text, &size, r, err));
    read_tree(r, config, check, text, size, sets, n_sets);
    if (r->failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading '%s'", r->path);
    if (r->n_problems) SOW_TRY(report_problems(r, problems, err));
done:
    reader_clear(r);
    free(text);
    return st;
}

static void check_campaign(sow_i_reader *r, void *config, const sow_i_node *root)
{
    sow_i_config_check(r, config, root);
}

sow_status sow_config_read(sow_config **out, char **problems, const char *path, const char *const *sets, sow_index n_sets,
                           sow_error *err)
{
    sow_status st = SOW_OK;
    sow_config *c = NULL;
    sow_i_reader r;
    *out = NULL;
    if (problems) *problems = NULL;
    SOW_TRY(sow_i_reader_begin(&r, path, sow_i_campaign_schema(), err));
    c = sow_i_arena_new(r.arena, sizeof *c);
    if (!c) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading '%s'", path);
    c->arena = r.arena;
    c->path = r.path;
    c->folder = r.folder;
    SOW_TRY(sow_i_config_load(&r, c, check_campaign, sets, n_sets, problems, err));
    *out = c;
done:
    if (st != SOW_OK) sow_i_arena_destroy(r.arena);
    return st;
}

void sow_config_destroy(sow_config *config)
{
    if (config) sow_i_arena_destroy(config->arena); /* in which it lies */
}
