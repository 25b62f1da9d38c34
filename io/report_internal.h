/* Shared by io/report*.c: the page as it grows, and how values get into HTML. Tables and sentences are written here in C, so that they are there
 * without JavaScript and can be tested without a browser; the charts are drawn by io/report/page.js from `charts`. */
#ifndef SOWER_IO_REPORT_INTERNAL_H
#define SOWER_IO_REPORT_INTERNAL_H

#include "io/file.h"
#include "io/report.h"

#include <jansson.h>

/* io/report/embed.cmake makes these from io/report/ and third_party/vega/; NUL-terminated. */
extern const unsigned char sow_i_report_html[], sow_i_report_css[], sow_i_report_page[];
extern const unsigned char sow_i_report_vega[], sow_i_report_vega_lite[], sow_i_report_vega_embed[];
extern const unsigned char sow_i_report_licence_vega[], sow_i_report_licence_lite[], sow_i_report_licence_embed[];

typedef struct {
    const json_t *doc; /* borrowed */
    sow_text body;     /* HTML between <body> and the scripts */
    json_t *charts;    /* array, one object a figure: {"kind": "curve", ...}; position = the figure's data-chart */
    const char *kind;  /* "report" or "evaluation", in the title */
    const char *skip;  /* where the link for keyboards goes and what it says, as HTML: "#next\">Skip to ..." */
    int failed;        /* jansson ran out of memory */
} sow_i_report;

/* --- the page around the sections --- */
/** The foot of the page, behind the last section. */
void sow_i_report_foot(sow_i_report *r);
/** Set body, charts and document into the page and write it. */
SOW_MUST_CHECK sow_status sow_i_report_save(const sow_i_report *r, const char *path, sow_error *err);

/** A page of its own: read the document, which must have `name` and the array `array`, write the body, save. */
typedef struct {
    const char *what;                /* in messages: "evaluation" */
    const char *kind, *skip, *array;
    void (*body)(sow_i_report *r);
    void (*after)(json_t *doc);      /* once the body is written, before the document is saved with it; NULL = nothing */
} sow_i_page;
SOW_MUST_CHECK sow_status sow_i_page_write(const char *path, const char *json, const sow_i_page *page, sow_error *err);

/* --- reading the document: a value of another type reads as absent --- */
const char *sow_i_string(const json_t *object, const char *key); /* NULL when absent or empty; borrowed */
int sow_i_number(const json_t *object, const char *key, double *out); /* 0 and *out = 0 when absent */
const json_t *sow_i_array(const json_t *object, const char *key); /* NULL when absent or without elements */

/* --- HTML --- */
/** Text with & < > " ' escaped and control characters shown as U+FFFD. NULL writes nothing. */
void sow_i_html(sow_text *t, const char *s);
/** For people: whole numbers as 12,345; others with three significant digits. */
void sow_i_html_number(sow_text *t, double x);
void sow_i_html_about(sow_text *t, double x);   /* an expected count: 66, 4.2 */
/** "<td>mean low to high" of a row with mean, low and high, left open for more; 0 and a dash where there is no mean. */
int sow_i_html_interval_cell(sow_text *t, const json_t *row, int is_best);
void sow_i_html_money(sow_text *t, double x);   /* 1,234.50 */
void sow_i_html_price(sow_text *t, double x);   /* 15.00, 0.086: two to four decimals */
void sow_i_html_percent(sow_text *t, double share); /* 31%, 0.8% */
/** The same for a value that is no count: 1.00, not 1. */
void sow_i_html_metric(sow_text *t, double x);
void sow_i_html_correlation(sow_text *t, double x); /* 0.82: where two decimals say it */
/** "1 perturbation", "12,000 perturbations". */
void sow_i_html_count(sow_text *t, double n, const char *one, const char *many);
/** String, number or yes/no; an n-dash for null, lists and objects. */
void sow_i_html_value(sow_text *t, const json_t *value);
/** Table cells: text and right-aligned number of a key, an n-dash when absent. */
void sow_i_cell(sow_text *t, const json_t *row, const char *key);
void sow_i_cell_number(sow_text *t, const json_t *row, const char *key);
/** Scrollable table with a caption for those who cannot see it. `head` is "Round|#Cost": '#' marks a column of numbers. `class_` may be NULL. */
void sow_i_table_open(sow_text *t, const char *caption, const char *head, const char *class_);
void sow_i_table_close(sow_text *t);
/** A whole table of `rows`, an array of objects. A row with true at `bold` (may be NULL) stands out. */
typedef enum {
    SOW_I_TEXT,     /* text, or yes/no */
    SOW_I_NUMBER,   /* 3 significant digits, whole ones as they are */
    SOW_I_COUNT,    /* rounded to whole ones */
    SOW_I_METRIC,   /* a value that is no count: 1.00 */
    SOW_I_INTERVAL, /* an object {value, low, high} */
    SOW_I_YES       /* a mark where true */
} sow_i_column_kind;
typedef struct {
    const char *head, *key;
    sow_i_column_kind kind;
} sow_i_column;
void sow_i_table_rows(sow_text *t, const char *caption, const char *class_, const sow_i_column *column, size_t n, const json_t *rows, const char *bold);
void sow_i_section_open(sow_text *t, const char *id, const char *title);
void sow_i_section_close(sow_text *t);
/** Names after each other, behind a fold when there are many: a list of strings or one text with commas; anything else writes nothing.
 *  `what` is the fold's label, already HTML; NULL = never folded. */
void sow_i_html_names(sow_text *t, const json_t *names, const char *what);

/* --- charts --- */
/** {"kind": kind}, appended to the report's charts; borrowed, NULL when out of memory (remembered in r->failed). */
json_t *sow_i_chart(sow_i_report *r, const char *kind);
/** Object and array setters that take `value` and remember a failure. */
void sow_i_put(sow_i_report *r, json_t *object, const char *key, json_t *value);
void sow_i_push(sow_i_report *r, json_t *array, json_t *value);
/** The place a chart is drawn in; the label (escaped here) tells what it shows to those who cannot see it. */
void sow_i_chart_place(sow_i_report *r, const char *classes, const char *label);
/** Line, dash and mark of a series, as an inline picture for legends; the same order as page.js. */
void sow_i_series_key(sow_text *t, sow_index series);
void sow_i_beat_key(sow_text *t); /* of the baseline to beat */

/* --- what several sections ask --- */
const char *sow_i_campaign_model(const json_t *doc);               /* NULL when no model has been evaluated */
double sow_i_measured(const json_t *doc);                          /* perturbations measured so far */
double sow_i_pool_size(const json_t *doc);                         /* 0 unknown */
const char *sow_i_currency(const json_t *doc);
/** Metric rows of the last round: the campaign's model and the best baseline by the metric that leads this readout. 0 when there is none. */
int sow_i_leading_metric(const json_t *doc, const json_t **own, const json_t **best_baseline);
/** The same for one metric. `*control`: the row of the model that predicts no change, NULL when it has none. */
int sow_i_against_control(const json_t *doc, const char *metric, const json_t **own, const json_t **control);
#define SOW_I_BEAT "control" /* the baseline that every model has to beat where it is evaluated */
int sow_i_is_cells(const json_t *doc);             /* readout of single cells */
double sow_i_cells_measured(const json_t *doc);    /* single cells of perturbations so far; 0 for other readouts */
int sow_i_has_contexts(const json_t *doc);         /* contexts were compared */
/** Label and sentence of a metric; the key itself and "" when unknown. `better`: 1 higher, -1 lower, 0 nearer to `target`. */
typedef struct {
    const char *key, *label, *sentence;
    int better;
    double target; /* NAN = none */
    int campaign;  /* counts of the campaign, not of a model: has no learning curve */
    int front;     /* cells have many metrics: place among the few that are drawn; 0 = only in the table */
} sow_i_metric_words;
const sow_i_metric_words *sow_i_metric(const char *key); /* NULL when unknown */
const char *sow_i_baseline(const char *name);            /* what it predicts, in a sentence; NULL when unknown */

/* --- sections, in the order of the page --- */
void sow_i_report_header(sow_i_report *r);
void sow_i_report_next(sow_i_report *r);
void sow_i_report_headline(sow_i_report *r);
void sow_i_report_cells_notes(sow_i_report *r);    /* within the headline */
void sow_i_report_contexts_note(sow_i_report *r);
void sow_i_report_curves(sow_i_report *r);
void sow_i_report_map(sow_i_report *r);
void sow_i_report_hits(sow_i_report *r);
void sow_i_report_cells(sow_i_report *r);
void sow_i_report_contexts(sow_i_report *r);
void sow_i_report_rounds(sow_i_report *r);
void sow_i_report_spend(sow_i_report *r);
void sow_i_report_learned(sow_i_report *r);
void sow_i_report_priors(sow_i_report *r);
void sow_i_report_dropped(sow_i_report *r);
void sow_i_report_constraints(sow_i_report *r);
void sow_i_report_held_out(sow_i_report *r);
void sow_i_report_provenance(sow_i_report *r);

#endif
