/* YAML text to a tree that keeps its marks. Aliases, anchors, tags and several documents are refused: a campaign file needs none,
 * and what is not there cannot be misread. */
#include "io/config_internal.h"

#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 32 };

typedef struct {
    sow_i_reader *reader;
    yaml_parser_t yaml;
    const char *text;
    size_t size;
    const char *set;
    int stop; /* a syntax error was reported */
} builder;

int sow_i_node_is_null(const sow_i_node *node)
{
    if (!node) return 1;
    if (node->kind != SOW_NODE_SCALAR || node->quoted) return 0;
    return !*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0 || strcmp(node->text, "Null") == 0 ||
           strcmp(node->text, "NULL") == 0;
}

sow_i_node *sow_i_node_child(const sow_i_node *node, const char *key)
{
    if (!node || node->kind != SOW_NODE_MAPPING) return NULL;
    for (sow_i_node *c = node->first; c; c = c->next)
        if (strcmp(c->key, key) == 0) return c;
    return NULL;
}

sow_i_node *sow_i_node_item(const sow_i_node *node, sow_index i)
{
    if (!node || node->kind != SOW_NODE_SEQUENCE) return NULL;
    sow_i_node *c = node->first;
    while (c && i-- > 0)
        c = c->next;
    return c;
}

void sow_i_node_append(sow_i_node *parent, sow_i_node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n++;
}

/* The first TAB in the white space that starts a line (counted from 1), as a column from 1; 0 = none. */
static long tab_column(const builder *b, long line)
{
    const char *p = b->text, *end = b->text + b->size;
    for (; line > 1 && p < end; p++)
        if (*p == '\n') line--;
    for (long column = 1; p < end && (*p == ' ' || *p == '\t' || *p == '-'); p++, column++)
        if (*p == '\t') return column;
    return 0;
}

static void syntax_error(builder *b, long line, long column, const char *what)
{
    b->stop = 1;
    if (!b->set) {
        sow_i_problem_at_mark(b->reader, line, column, "%s", what);
    } else {
        sow_i_node here = {.set = b->set};
        sow_i_problem_at(b->reader, &here, "%s", what);
    }
}

/* libyaml's own complaint. */
static void parser_error(builder *b)
{
    char what[400];
    const yaml_parser_t *y = &b->yaml;
    long line = (long)y->problem_mark.line + 1, column = (long)y->problem_mark.column + 1;
    if (y->error == YAML_MEMORY_ERROR) {
        b->reader->failed = b->stop = 1;
        return;
    }
    if (y->error == YAML_READER_ERROR) { /* no mark, only an offset */
        line = column = 1;
        for (size_t i = 0; i < y->problem_offset && i < b->size; i++, column++)
            if (b->text[i] == '\n') line++, column = 0;
        snprintf(what, sizeof what, "not UTF-8 text: %s (save the file as UTF-8)", y->problem ? y->problem : "unreadable");
        syntax_error(b, line, column, what);
        return;
    }
    long tab = tab_column(b, line);
    if (tab) {
        syntax_error(b, line, tab, "a TAB indents this line; YAML allows only spaces there");
        return;
    }
    snprintf(what, sizeof what, "not valid YAML: %s%s%s", y->problem ? y->problem : "unreadable", y->context ? " " : "",
             y->context ? y->context : "");
    syntax_error(b, line, column, what);
}

static int next_event(builder *b, yaml_event_t *e)
{
    if (b->stop || b->reader->failed) return 0;
    if (yaml_parser_parse(&b->yaml, e)) return 1;
    parser_error(b);
    return 0;
}

static sow_i_node *new_node(builder *b, sow_i_node_kind kind, const yaml_event_t *e)
{
    sow_i_node *n = sow_i_arena_new(b->reader->arena, sizeof *n);
    if (!n) {
        b->reader->failed = 1;
        return NULL;
    }
    n->kind = kind;
    n->set = b->set;
    n->line = b->set ? 0 : (long)e->start_mark.line + 1;
    n->column = b->set ? 0 : (long)e->start_mark.column + 1;
    return n;
}

static void refuse(builder *b, const yaml_event_t *e, const char *what)
{
    syntax_error(b, (long)e->start_mark.line + 1, (long)e->start_mark.column + 1, what);
}

static sow_i_node *parse_scalar(builder *b, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    if (memchr(text, '\0', n)) {
        refuse(b, e, "a NUL character in text");
        return NULL;
    }
    sow_i_node *node = new_node(b, SOW_NODE_SCALAR, e);
    if (!node) return NULL;
    node->text = sow_i_arena_text(b->reader->arena, text, n);
    node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (node->text) return node;
    b->reader->failed = 1;
    return NULL;
}

static sow_i_node *parse_node(builder *b, yaml_event_t *e, int depth);

static sow_i_node *parse_sequence(builder *b, const yaml_event_t *start, int depth)
{
    sow_i_node *node = new_node(b, SOW_NODE_SEQUENCE, start);
    yaml_event_t e;
    while (node && next_event(b, &e)) {
        int end = e.type == YAML_SEQUENCE_END_EVENT;
        sow_i_node *item = end ? NULL : parse_node(b, &e, depth + 1);
        yaml_event_delete(&e);
        if (end) return node;
        if (item) sow_i_node_append(node, item);
    }
    return NULL;
}

/* Enter one key with its value; a key given twice is reported and its second value dropped. */
static void add_entry(builder *b, sow_i_node *mapping, const sow_i_node *key, sow_i_node *value)
{
    const sow_i_node *before = sow_i_node_child(mapping, key->text);
    value->key = key->text;
    value->key_line = key->line;
    value->key_column = key->column;
    if (before && before->key_line)
        sow_i_problem_at_key(b->reader, value, "key '%s' is given twice (first in line %ld); keep one", key->text,
                             before->key_line);
    else if (before)
        sow_i_problem_at_key(b->reader, value, "key '%s' is given twice; keep one", key->text);
    else
        sow_i_node_append(mapping, value);
}

static sow_i_node *parse_mapping(builder *b, const yaml_event_t *start, int depth)
{
    sow_i_node *node = new_node(b, SOW_NODE_MAPPING, start), *key = NULL;
    yaml_event_t e;
    while (node && next_event(b, &e)) {
        int end = e.type == YAML_MAPPING_END_EVENT;
        if (!end && !key && e.type != YAML_SCALAR_EVENT && e.type != YAML_ALIAS_EVENT) refuse(b, &e, "a key must be a plain word");
        sow_i_node *part = end || b->stop ? NULL : parse_node(b, &e, depth + 1);
        yaml_event_delete(&e);
        if (end) return node;
        if (!part) continue;
        if (!key) {
            key = part;
        } else {
            add_entry(b, node, key, part);
            key = NULL;
        }
    }
    return NULL;
}

static sow_i_node *parse_node(builder *b, yaml_event_t *e, int depth)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT) anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    if (e->type == YAML_MAPPING_START_EVENT) anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    if (e->type == YAML_ALIAS_EVENT || anchor)
        refuse(b, e, "anchors (&) and aliases (*) are not supported; write the value out");
    else if (tag)
        refuse(b, e, "tags (!) are not supported; write the plain value");
    else if (depth > MAX_DEPTH)
        refuse(b, e, "nested too deeply");
    if (b->stop) return NULL;
    if (e->type == YAML_SEQUENCE_START_EVENT) return parse_sequence(b, e, depth);
    if (e->type == YAML_MAPPING_START_EVENT) return parse_mapping(b, e, depth);
    return parse_scalar(b, e);
}

/* Stream of events to the one document's root; NULL when the text is empty or wrong. */
static sow_i_node *parse_stream(builder *b)
{
    sow_i_node *root = NULL;
    yaml_event_t e;
    int documents = 0, end = 0;
    while (!end && next_event(b, &e)) {
        if (e.type == YAML_DOCUMENT_START_EVENT && documents++)
            refuse(b, &e, "a second document (---) starts here; a file holds one");
        end = e.type == YAML_STREAM_END_EVENT;
        if (e.type == YAML_SCALAR_EVENT || e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT ||
            e.type == YAML_ALIAS_EVENT)
            root = parse_node(b, &e, 0);
        yaml_event_delete(&e);
    }
    return b->stop || b->reader->failed ? NULL : root;
}

sow_i_node *sow_i_yaml_parse(sow_i_reader *r, const char *text, size_t n, const char *set)
{
    builder b = {.reader = r, .text = text, .size = n, .set = set};
    if (!yaml_parser_initialize(&b.yaml)) {
        r->failed = 1;
        return NULL;
    }
    yaml_parser_set_input_string(&b.yaml, (const unsigned char *)text, n);
    yaml_parser_set_encoding(&b.yaml, YAML_UTF8_ENCODING);
    sow_i_node *root = parse_stream(&b);
    yaml_parser_delete(&b.yaml);
    if (root || b.stop || r->failed) return root;
    if (!set) {
        char what[160];
        snprintf(what, sizeof what, "the file is empty; %s", r->schema->empty);
        syntax_error(&b, 1, 1, what);
        return NULL;
    }
    yaml_event_t nowhere = {0}; /* "--set key=": nothing is null */
    root = new_node(&b, SOW_NODE_SCALAR, &nowhere);
    if (root) root->text = "";
    return root;
}
