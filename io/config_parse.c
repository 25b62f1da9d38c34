/* Tree to struct, row by row of the table. Every problem is noted and reading goes on. */
#include "io/config_internal.h"

#include "core/memory.h"
#include "core/names.h"
#include "io/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    sow_i_reader *reader;
    const char *folder;
} filler;

/* ---- words for messages */

char *sow_i_words(const char *list)
{
    sow_text t = {0};
    sow_text_append(&t, "");
    for (const char *p = list; p && *p; p++)
        sow_text_printf(&t, *p == ',' ? "%c " : "%c", *p);
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

static void append_range(sow_text *t, const sow_i_key *key)
{
    int low = isfinite(key->min), high = isfinite(key->max);
    if (low && high && key->min == key->max)
        sow_text_printf(t, " equal to %.10g", key->min);
    else if (low && high)
        sow_text_printf(t, " in %s%.10g, %.10g%s", key->flags & SOW_KEY_OPEN_MIN ? "(" : "[", key->min, key->max,
                        key->flags & SOW_KEY_OPEN_MAX ? ")" : "]");
    else if (low)
        sow_text_printf(t, " %s %.10g", key->flags & SOW_KEY_OPEN_MIN ? ">" : ">=", key->min);
    else if (high)
        sow_text_printf(t, " %s %.10g", key->flags & SOW_KEY_OPEN_MAX ? "<" : "<=", key->max);
}

char *sow_i_key_allows(const sow_i_key *key)
{
    static const char *const words[] = {
        [SOW_KEY_MAPPING] = "a mapping of keys",
        [SOW_KEY_LIST] = "a list of mappings",
        [SOW_KEY_INT] = "a whole number",
        [SOW_KEY_NUMBER] = "a number",
        [SOW_KEY_BOOL] = "true or false",
        [SOW_KEY_TEXT] = "text",
        [SOW_KEY_FILE] = "a file",
        [SOW_KEY_ENUM] = "one of ",
        [SOW_KEY_CHOICE] = "one of ",
        [SOW_KEY_CURRENCY] = "text of 1 to 7 bytes",
        [SOW_KEY_TEXTS] = "a list of names",
        [SOW_KEY_INTS] = "a list of whole numbers",
        [SOW_KEY_NAMED] = "a mapping of names",
        [SOW_KEY_SETTINGS] = "a mapping of keys of the campaign file",
        [SOW_KEY_UNSUPPORTED] = "nothing",
    };
    sow_text t = {0};
    sow_text_append(&t, words[key->type]);
    if (key->type == SOW_KEY_INT || key->type == SOW_KEY_INTS || key->type == SOW_KEY_NUMBER) append_range(&t, key);
    if (key->word) sow_text_printf(&t, ", or %s", key->word);
    if (key->type == SOW_KEY_ENUM || key->type == SOW_KEY_CHOICE) {
        char *list = sow_i_words(key->allowed);
        sow_text_append(&t, list ? list : "");
        free(list);
    }
    if (t.failed) sow_text_clear(&t);
    return t.text;
}

/* "mapping.key" as people know it; list marks keep their index through `where`. */
static void wrong_value(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where)
{
    char *allows = sow_i_key_allows(key);
    if (!allows) {
        f->reader->failed = 1;
        return;
    }
    if (node->kind != SOW_NODE_SCALAR)
        sow_i_problem_at(f->reader, node, "%s must be %s, not a %s", where, allows,
                         node->kind == SOW_NODE_MAPPING ? "mapping" : "list");
    else if (sow_i_node_is_null(node))
        sow_i_problem_at(f->reader, node, "%s must be %s, not nothing", where, allows);
    else
        sow_i_problem_at(f->reader, node, "%s must be %s, not '%s'%s", where, allows, node->text,
                         node->quoted && key->type != SOW_KEY_TEXT && key->type != SOW_KEY_CURRENCY ? " in quotes" : "");
    free(allows);
}

/* "; did you mean 'x'?" and " (allowed: a, b)" for a word that is not in a comma-separated list. */
static void unknown_word(filler *f, const sow_i_node *node, int at_key, const char *what, const char *word, const char *group,
                         const char *allowed, const char *more)
{
    char *list = sow_i_words(allowed), *both = sow_format("%s%s%s", allowed, more && *more ? "," : "", more ? more : "");
    const char *names[128], *near = NULL;
    sow_index n = 0;
    if (list && both) {
        for (char *p = strtok(both, ","); p && n < 128; p = strtok(NULL, ","))
            names[n++] = p;
        near = sow_nearest_of(names, n, word);
    } else {
        f->reader->failed = 1;
    }
    void (*report)(sow_i_reader *, const sow_i_node *, const char *, ...) = at_key ? sow_i_problem_at_key : sow_i_problem_at;
    if (list && both)
        report(f->reader, node, "unknown %s '%s' in %s%s%s%s (allowed: %s)", what, word, *group ? group : f->reader->schema->file,
               near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list);
    free(list);
    free(both);
}

/* ---- one value */

static int parse_integer(const char *text, sow_index *out)
{
    char *end;
    if (!*text || strspn(text, "+-0123456789") != strlen(text)) return 0;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static int parse_number(const char *text, double *out)
{
    char *end;
    if (!strpbrk(text, "0123456789") || strspn(text, "+-.0123456789eE") != strlen(text)) return 0;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static int in_range(const sow_i_key *key, double x)
{
    int low = key->flags & SOW_KEY_OPEN_MIN ? x > key->min : x >= key->min;
    int high = key->flags & SOW_KEY_OPEN_MAX ? x < key->max : x <= key->max;
    return low && high;
}

static int is_word(const sow_i_key *key, const char *text)
{
    return key->word && strcmp(key->word, text) == 0;
}

static int parse_bool(const char *text, int *out)
{
    static const char *const words[2] = {"false,False,FALSE,no", "true,True,TRUE,yes"};
    for (int i = 0; i < 2; i++) {
        if (sow_i_word_position(words[i], text) < 0) continue;
        *out = i;
        return 1;
    }
    return 0;
}

/* A word of an enumeration; 0 after reporting. */
static int check_word(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where)
{
    sow_index (*position)(const char *, const char *) = key->aliases ? sow_i_spelling_position : sow_i_word_position;
    if (position(key->allowed, node->text) >= 0 || position(key->aliases, node->text) >= 0) return 1;
    char group[200];
    const char *dot = strrchr(where, '.');
    snprintf(group, sizeof group, "%.*s", dot ? (int)(dot - where) : 0, where);
    unknown_word(f, node, 0, sow_i_key_name(key), node->text, group, key->allowed, key->aliases);
    return 0;
}

static const char *resolve_file(filler *f, const char *written)
{
    sow_i_arena *a = f->reader->arena;
    char *joined = sow_path_join(f->folder, written);
    char *kept = joined ? sow_i_arena_text(a, joined, strlen(joined)) : NULL;
    free(joined);
    if (!kept || sow_grow(&a->path, &a->path_capacity, a->n_paths + 1, sizeof *a->path, NULL) != SOW_OK) {
        f->reader->failed = 1;
        return NULL;
    }
    a->path[a->n_paths].resolved = kept;
    a->path[a->n_paths++].written = written;
    return kept;
}

/* Store one scalar at `at`; reports what is wrong with it. */
static void fill_scalar(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where, char *at)
{
    sow_index i = 0;
    double x = 0;
    int yes = 0, ok = node->kind == SOW_NODE_SCALAR && (node->quoted ? *node->text != '\0' : !sow_i_node_is_null(node));
    int bare = ok && !node->quoted;
    const char *text = node->text;
    switch (key->type) {
    case SOW_KEY_INT:
    case SOW_KEY_INTS:
        ok = bare && ((parse_integer(text, &i) && in_range(key, (double)i)) || is_word(key, text));
        if (ok && is_word(key, text)) i = (sow_index)key->none;
        if (ok) memcpy(at, &i, sizeof i);
        break;
    case SOW_KEY_NUMBER:
        ok = bare && ((parse_number(text, &x) && in_range(key, x)) || is_word(key, text));
        if (ok && is_word(key, text)) x = NAN;
        if (ok) memcpy(at, &x, sizeof x);
        break;
    case SOW_KEY_BOOL:
        ok = bare && parse_bool(text, &yes);
        if (ok) memcpy(at, &yes, sizeof yes);
        break;
    case SOW_KEY_CHOICE:
        if (ok && !check_word(f, key, node, where)) return;
        yes = ok ? (int)sow_i_word_position(key->allowed, text) : 0;
        if (ok) memcpy(at, &yes, sizeof yes);
        break;
    case SOW_KEY_ENUM:
        if (ok && !check_word(f, key, node, where)) return;
        if (ok && key->offset != SIZE_MAX) memcpy(at, &text, sizeof text);
        break;
    case SOW_KEY_CURRENCY:
        ok = ok && strlen(text) < 8;
        if (ok) memcpy(at, text, strlen(text) + 1);
        break;
    default:
        if (ok && key->type == SOW_KEY_FILE) text = resolve_file(f, text);
        if (ok) memcpy(at, &text, sizeof text);
        break;
    }
    if (!ok) wrong_value(f, key, node, where);
}

/* A list of scalars; one value alone is a list of one. */
static void fill_scalars(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where, char *base)
{
    int one = node->kind == SOW_NODE_SCALAR;
    size_t size = key->type == SOW_KEY_INTS ? sizeof(sow_index) : sizeof(const char *);
    if (node->kind == SOW_NODE_MAPPING) {
        wrong_value(f, key, node, where);
        return;
    }
    sow_index n = one ? 1 : node->n;
    if (n == 0 && (key->flags & SOW_KEY_SOME)) sow_i_problem_at(f->reader, node, "%s must not be empty", where);
    char *array = n ? sow_i_arena_new(f->reader->arena, (size_t)n * size) : NULL;
    if (n && !array) {
        f->reader->failed = 1;
        return;
    }
    const sow_i_node *item = one ? node : node->first;
    for (sow_index i = 0; i < n; i++, item = item->next) {
        char entry[240];
        snprintf(entry, sizeof entry, "each of %.200s", where);
        sow_i_key single = *key;
        if (key->type == SOW_KEY_TEXTS)
            single.type = SOW_KEY_TEXT;
        else
            single.type = SOW_KEY_INT;
        fill_scalar(f, &single, item, one ? where : entry, array + (size_t)i * size);
    }
    memcpy(base + key->offset_n, &n, sizeof n);
    memcpy(base + key->offset, &array, sizeof array);
}

/* ---- groups */

static void fill_group(filler *f, const char *path, const char *where, const sow_i_node *node, char *base);

static void fill_settings(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where, char *base)
{
    if (node->kind != SOW_NODE_MAPPING && !sow_i_node_is_null(node)) {
        wrong_value(f, key, node, where);
        return;
    }
    sow_setting *setting = NULL;
    sow_index n = 0;
    sow_i_settings_of(f->reader, &setting, &n, node);
    memcpy(base + key->offset_n, &n, sizeof n);
    memcpy(base + key->offset, &setting, sizeof setting);
}

static void fill_list(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where, char *base)
{
    int one = node->kind == SOW_NODE_MAPPING && (key->flags & SOW_KEY_ONE_ALONE);
    if (!one && node->kind != SOW_NODE_SEQUENCE) {
        wrong_value(f, key, node, where);
        return;
    }
    sow_index n = one ? 1 : node->n;
    if (n == 0 && (key->flags & SOW_KEY_SOME)) sow_i_problem_at(f->reader, node, "%s must not be empty", where);
    char *array = n ? sow_i_arena_new(f->reader->arena, (size_t)n * key->size) : NULL;
    if (n && !array) {
        f->reader->failed = 1;
        return;
    }
    const sow_i_node *item = one ? node : node->first;
    for (sow_index i = 0; i < n; i++, item = item->next) {
        char path[200], entry[200];
        snprintf(path, sizeof path, "%s[]", key->path);
        snprintf(entry, sizeof entry, "%.150s[%lld]", where, (long long)i);
        fill_group(f, path, one ? where : entry, item, array + (size_t)i * key->size);
    }
    memcpy(base + key->offset_n, &n, sizeof n);
    memcpy(base + key->offset, &array, sizeof array);
}

/* A mapping of names to groups of keys. A group that is settings throughout is one row, "path[]". */
static void fill_named(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where, char *base)
{
    char path[200];
    snprintf(path, sizeof path, "%s[]", key->path);
    const sow_i_key *settings = sow_i_schema_find(f->reader->schema, path);
    if (node->kind != SOW_NODE_MAPPING) {
        wrong_value(f, key, node, where);
        return;
    }
    if (node->n == 0) sow_i_problem_at(f->reader, node, "%s must not be empty", where);
    char *array = node->n ? sow_i_arena_new(f->reader->arena, (size_t)node->n * key->size) : NULL;
    if (node->n && !array) {
        f->reader->failed = 1;
        return;
    }
    char *at = array;
    for (const sow_i_node *item = node->first; item && !f->reader->failed; item = item->next, at += key->size) {
        char entry[200];
        snprintf(entry, sizeof entry, "%.100s.%.90s", where, item->key);
        memcpy(at, &item->key, sizeof item->key);
        if (settings) fill_settings(f, settings, item, entry, at);
        else fill_group(f, path, entry, item, at);
    }
    memcpy(base + key->offset_n, &node->n, sizeof node->n);
    memcpy(base + key->offset, &array, sizeof array);
}

/* The default of one key, read by the same rules as a value of the file. */
static void fill_default(filler *f, const sow_i_key *key, char *base)
{
    double nan = NAN;
    sow_index none = (sow_index)key->none;
    char *at = base + key->offset;
    if (key->type == SOW_KEY_MAPPING) {
        fill_group(f, key->path, key->path, NULL, base);
        return;
    }
    if (key->offset == SIZE_MAX) return;
    if (key->type == SOW_KEY_TEXTS || key->type == SOW_KEY_INTS || key->type == SOW_KEY_LIST || key->type == SOW_KEY_NAMED || key->type == SOW_KEY_SETTINGS)
        return; /* none: zero already */
    sow_i_node value = {.kind = SOW_NODE_SCALAR, .text = key->standard};
    if (key->standard)
        fill_scalar(f, key, &value, key->path, at);
    else if (key->type == SOW_KEY_NUMBER)
        memcpy(at, &nan, sizeof nan);
    else if (key->type == SOW_KEY_INT)
        memcpy(at, &none, sizeof none);
}

static void fill_value(filler *f, const sow_i_key *key, const sow_i_node *node, const char *where, char *base)
{
    sow_i_node around = {.kind = SOW_NODE_MAPPING, .line = node->line, .column = node->column, .set = node->set};
    sow_i_node inner = *node;
    switch (key->type) {
    case SOW_KEY_UNSUPPORTED:
        sow_i_problem_at_key(f->reader, node, "'%s' is not supported by this version: %s", where, key->sentence);
        break;
    case SOW_KEY_MAPPING:
        if (node->kind == SOW_NODE_SCALAR && key->shorthand) {
            inner.key = key->shorthand;
            inner.next = NULL;
            sow_i_node_append(&around, &inner);
            node = &around;
        }
        fill_group(f, key->path, where, node, base);
        break;
    case SOW_KEY_LIST:
        fill_list(f, key, node, where, base);
        break;
    case SOW_KEY_NAMED:
        fill_named(f, key, node, where, base);
        break;
    case SOW_KEY_SETTINGS:
        fill_settings(f, key, node, where, base);
        break;
    case SOW_KEY_TEXTS:
    case SOW_KEY_INTS:
        fill_scalars(f, key, node, where, base);
        break;
    default:
        fill_scalar(f, key, node, where, base + (key->offset == SIZE_MAX ? 0 : key->offset));
        break;
    }
}

/* Keys of the file that the table does not have in this group. */
static void report_unknown_keys(filler *f, const char *path, const char *where, const sow_i_node *node)
{
    const sow_index n_keys = f->reader->schema->n;
    const sow_i_key *keys = f->reader->schema->key;
    for (const sow_i_node *c = node->first; c; c = c->next) {
        sow_text allowed = {0};
        int known = 0;
        for (sow_index i = 0; i < n_keys; i++) {
            if (!sow_i_key_is_child(&keys[i], path)) continue;
            known |= strcmp(sow_i_key_name(&keys[i]), c->key) == 0;
            if (keys[i].type != SOW_KEY_UNSUPPORTED)
                sow_text_printf(&allowed, "%s%s", allowed.size ? "," : "", sow_i_key_name(&keys[i]));
        }
        if (allowed.failed)
            f->reader->failed = 1;
        else if (!known)
            unknown_word(f, c, 1, "key", c->key, where, allowed.text, NULL);
        sow_text_clear(&allowed);
    }
}

static void report_missing(filler *f, const sow_i_key *key, const char *where, const sow_i_node *node)
{
    char *allows = sow_i_key_allows(key);
    if (!allows)
        f->reader->failed = 1;
    else
        sow_i_problem_at(f->reader, node, "key '%s' is missing in %s: %s (%.*s)", sow_i_key_name(key),
                         *where ? where : f->reader->schema->file, allows, (int)strlen(key->sentence) - 1, key->sentence);
    free(allows);
}

/* All keys of one mapping; node NULL = the mapping is not given: defaults. */
static void fill_group(filler *f, const char *path, const char *where, const sow_i_node *node, char *base)
{
    const sow_index n_keys = f->reader->schema->n;
    const sow_i_key *keys = f->reader->schema->key, *self = sow_i_schema_find(f->reader->schema, path);
    if (node && node->kind != SOW_NODE_MAPPING) {
        sow_i_key group = {.type = SOW_KEY_MAPPING};
        wrong_value(f, self ? self : &group, node, where);
        node = NULL;
    }
    if (node) report_unknown_keys(f, path, where, node);
    for (sow_index i = 0; i < n_keys && !f->reader->failed; i++) {
        if (!sow_i_key_is_child(&keys[i], path)) continue;
        char inside[240];
        const sow_i_node *child = sow_i_node_child(node, sow_i_key_name(&keys[i]));
        snprintf(inside, sizeof inside, "%s%s%s", where, *where ? "." : "", sow_i_key_name(&keys[i]));
        if (!sow_i_node_is_null(child)) {
            fill_value(f, &keys[i], child, inside, base);
            continue;
        }
        if (node && (keys[i].flags & SOW_KEY_REQUIRED)) report_missing(f, &keys[i], where, child ? child : node);
        if (keys[i].type != SOW_KEY_UNSUPPORTED) fill_default(f, &keys[i], base);
    }
}

void sow_i_config_fill(sow_i_reader *r, void *config, const sow_i_node *root)
{
    filler f = {.reader = r, .folder = r->folder};
    fill_group(&f, "", "", root, config);
}
