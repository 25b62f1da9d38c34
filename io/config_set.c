/* --set key.path=value: changes the tree before it is read, so that one table checks both. */
#include "io/config_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 200 };

typedef struct {
    sow_i_reader *reader;
    const char *set;
    const char *at;      /* what is left of the key */
    char path[MAX_PATH]; /* what was read, as in the table */
    sow_i_node *node;
} walker;

static void complain(walker *w, const char *what)
{
    sow_i_node here = {.set = w->set};
    sow_i_problem_at(w->reader, &here, "%s", what);
    w->node = NULL;
}

static sow_i_node *fresh(walker *w, const char *key, size_t n)
{
    sow_i_node *node = sow_i_arena_new(w->reader->arena, sizeof *node);
    if (node) {
        node->text = "";
        node->set = w->set;
        if (key) node->key = sow_i_arena_text(w->reader->arena, key, n);
    }
    if (!node || (key && !node->key)) {
        w->reader->failed = 1;
        return NULL;
    }
    return node;
}

/* Move a node's content into a new child, so that the node can become the group around it. */
static sow_i_node *push_down(walker *w, sow_i_node_kind kind, const char *key)
{
    sow_i_node *inner = fresh(w, key, key ? strlen(key) : 0), *node = w->node;
    if (!inner) return NULL;
    const char *name = inner->key;
    *inner = *node;
    inner->key = name;
    inner->key_line = inner->key_column = 0;
    inner->next = NULL;
    node->kind = kind;
    node->first = node->last = NULL;
    node->n = 0;
    sow_i_node_append(node, inner);
    return inner;
}

/* Make w->node a mapping: from nothing, or from the single value that stands for one. */
static void become_mapping(walker *w)
{
    const sow_i_key *row = sow_i_schema_find(w->reader->schema, w->path);
    char what[MAX_PATH + 80];
    if (w->node->kind == SOW_NODE_MAPPING) return;
    if (sow_i_node_is_null(w->node)) {
        w->node->kind = SOW_NODE_MAPPING;
        w->node->set = w->set;
    } else if (w->node->kind == SOW_NODE_SCALAR && row && row->shorthand) {
        if (!push_down(w, SOW_NODE_MAPPING, row->shorthand)) w->node = NULL;
    } else {
        snprintf(what, sizeof what, "'%s' has no keys of its own%s", w->path,
                 w->node->kind == SOW_NODE_SEQUENCE ? "; say which entry, as in [0]" : "");
        complain(w, what);
    }
}

static void become_sequence(walker *w)
{
    const sow_i_key *row = sow_i_schema_find(w->reader->schema, w->path);
    char what[MAX_PATH + 80];
    if (w->node->kind == SOW_NODE_SEQUENCE) return;
    if (sow_i_node_is_null(w->node)) {
        w->node->kind = SOW_NODE_SEQUENCE;
        w->node->set = w->set;
    } else if (row && ((row->flags & SOW_KEY_ONE_ALONE) || row->type == SOW_KEY_TEXTS || row->type == SOW_KEY_INTS)) {
        if (!push_down(w, SOW_NODE_SEQUENCE, NULL)) w->node = NULL;
    } else {
        snprintf(what, sizeof what, "'%s' is not a list", w->path);
        complain(w, what);
    }
}

static void step_into_key(walker *w)
{
    size_t n = strcspn(w->at, ".[="), used = strlen(w->path);
    if (n == 0 || used + n + 2 >= MAX_PATH) {
        complain(w, "write KEY=VALUE, for example --set seed=2 or --set data.sources[0].file=screen.csv");
        return;
    }
    become_mapping(w);
    if (!w->node) return;
    snprintf(w->path + used, MAX_PATH - used, "%s%.*s", used ? "." : "", (int)n, w->at);
    const char *name = w->path + used + (used ? 1 : 0);
    sow_i_node *child = sow_i_node_child(w->node, name);
    if (!child && (child = fresh(w, name, n))) sow_i_node_append(w->node, child);
    w->node = child;
    w->at += n;
}

static void step_into_index(walker *w)
{
    char *end, what[MAX_PATH + 120];
    long i = strtol(w->at + 1, &end, 10);
    if (end == w->at + 1 || *end != ']' || i < 0) {
        complain(w, "an index is a whole number from 0 in brackets, as in priors[0]");
        return;
    }
    become_sequence(w);
    if (!w->node) return;
    if (i > w->node->n) {
        snprintf(what, sizeof what, "'%s' has %lld %s; the next one is [%lld]", w->path, (long long)w->node->n,
                 w->node->n == 1 ? "entry" : "entries", (long long)w->node->n);
        complain(w, what);
        return;
    }
    sow_i_node *item = sow_i_node_item(w->node, i);
    if (!item && (item = fresh(w, NULL, 0))) sow_i_node_append(w->node, item);
    size_t used = strlen(w->path);
    snprintf(w->path + used, MAX_PATH - used, "[]");
    w->node = item;
    w->at = end + 1;
}

static void replace(walker *w)
{
    const char *text = w->at + 1;
    sow_i_node *value = sow_i_yaml_parse(w->reader, text, strlen(text), w->set), *node = w->node;
    if (!value) return;
    sow_i_node keep = *node;
    *node = *value;
    node->key = keep.key;
    node->key_line = keep.key_line;
    node->key_column = keep.key_column;
    node->next = keep.next;
}

void sow_i_config_set(sow_i_reader *r, sow_i_node *root, const char *set)
{
    walker w = {.reader = r, .set = set, .at = set, .node = root};
    if (!strchr(set, '=')) {
        complain(&w, "write KEY=VALUE, for example --set seed=2 or --set data.sources[0].file=screen.csv");
        return;
    }
    step_into_key(&w);
    while (w.node && *w.at != '=') {
        if (*w.at == '[') {
            step_into_index(&w);
        } else if (*w.at == '.') {
            w.at++;
            step_into_key(&w);
        } else {
            complain(&w, "after an index comes '.', '[' or '='");
        }
    }
    if (w.node) replace(&w);
}
