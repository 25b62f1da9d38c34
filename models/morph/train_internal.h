/* What the files of MORPH's training share.
 *
 * settings.c decides (sow_i_morph_settings), genes.c knows which prior rows a perturbation takes, feed.c has the cells by perturbation, batches.c cuts an epoch into chunks of
 * cells and fills one step's input, train.c is the loop over epochs of one member, select.c its validation and stopping, keep.c what is written of it, predict.c and losses.c
 * ask the trained networks, stack.c joins them with `linear`, morph.c is the row of the table.
 *
 * Every random choice is a function of (seed, round, member, epoch), so that a training that was interrupted goes on with the numbers it would have had. */
#ifndef SOWER_MODELS_MORPH_TRAIN_INTERNAL_H
#define SOWER_MODELS_MORPH_TRAIN_INTERNAL_H

#include "core/optim.h"
#include "models/morph/morph.h"

enum { SOW_I_MORPH_CONTROLS = 512 }; /* most control cells a mean shift, and most cells a loss, is taken on */

/* ---- settings.c ---- */

/** Options as they are meant: `reference` applied, chosen values filled in. */
typedef struct {
    sow_morph_options o;
    sow_morph_sizes sizes;
    sow_mmd_options mmd;
    uint64_t seed;
    uint32_t round;
} sow_i_morph_settings;
/** SOW_E_CONFIG: an option out of range. sigma, segments and rate that are chosen by the data stay 0 here. */
SOW_MUST_CHECK sow_status sow_i_morph_settle(sow_i_morph_settings *out, const sow_model_options *options, sow_error *err);
/** Perturbations a step, where the user has not said: as many as leave 128 steps an epoch, 1 to 8; then Adam's rate. `chunks` of an epoch. */
void sow_i_morph_pace(sow_i_morph_settings *s, sow_index chunks);

/** FNV-1a, 64 bits, over what a training depends on. */
typedef uint64_t sow_i_print;
#define SOW_I_PRINT_INIT 1469598103934665603u
void sow_i_print_bytes(sow_i_print *p, const void *bytes, size_t n);
void sow_i_print_settings(sow_i_print *p, const sow_i_morph_settings *s);

/** What a stream of random numbers is for. Streams of a member and an epoch are apart from each other. */
typedef enum { SOW_I_USE_ORDER, SOW_I_USE_CONTROLS, SOW_I_USE_NOISE, SOW_I_USE_JUDGE_CONTROLS, SOW_I_USE_JUDGE_NOISE, SOW_I_USE_PRIOR_NOISE } sow_i_use;
sow_rng sow_i_morph_rng(const sow_i_morph_settings *s, sow_rng_purpose purpose, sow_index member, sow_index epoch, sow_i_use use);

/* ---- genes.c ---- */

/** Prior rows as the network reads them, and which of them each perturbation of the catalogue takes. */
typedef struct {
    sow_index n_items, n_priors;
    sow_index dim[SOW_MORPH_MOST_PRIORS];
    float *x[SOW_MORPH_MOST_PRIORS]; /* [n_items + 1, dim]: a row for every perturbation of the catalogue, and last the null label (zeros) */
    sow_index *first, *second;       /* [n_items] rows of the one or two agents; first -1: there is no prior row for (one of) them; second -1: a single */
} sow_i_morph_genes;
/** PLAIN: the fused priors; MOE: three dense priors. SOW_E_CONFIG: no prior, or not three dense ones for MOE; SOW_E_NONFINITE names the row of a prior that holds NaN. */
SOW_MUST_CHECK sow_status sow_i_morph_genes_make(sow_i_morph_genes *out, const sow_training *t, const sow_i_morph_settings *s, sow_error *err);
void sow_i_morph_genes_clear(sow_i_morph_genes *g);
void sow_i_print_genes(sow_i_print *p, const sow_i_morph_genes *g);

/* ---- feed.c ---- */

/** The cells that are learned from, by perturbation (ascending), of the target context. Positions are copied; table and space are borrowed. */
typedef struct {
    const sow_cells *table;
    const sow_preparation *space;
    sow_index n;             /* perturbations */
    sow_index *perturbation; /* [n] */
    sow_index *start;        /* [n + 1] into cell */
    sow_index *cell;         /* positions in the table */
    sow_index n_control;
    sow_index *control;      /* [n_control] */
    char *left_out;          /* what was left out and why, for people; NULL = nothing */
    float *rows, *control_rows; /* prepared, where they fit into memory: [start[n], d], [n_control, d]; else NULL */
} sow_i_morph_groups;
/** SOW_E_DATA: fewer than two controls, or no perturbation left to learn from (says why). What is left out is logged as a warning. */
SOW_MUST_CHECK sow_status sow_i_morph_groups_make(sow_i_morph_groups *out, const sow_training *t, const sow_i_morph_genes *genes, const sow_i_morph_settings *s,
                                                  const sow_env *env, sow_error *err);
void sow_i_morph_groups_clear(sow_i_morph_groups *g);
/** Keep prepared rows in memory where they take less than a quarter of env->memory, or 1 GiB. Not needed, only faster. */
SOW_MUST_CHECK sow_status sow_i_morph_groups_prepare(sow_i_morph_groups *g, const sow_env *env, sow_error *err);
void sow_i_morph_groups_forget(sow_i_morph_groups *g); /* the prepared rows */
void sow_i_print_groups(sow_i_print *p, const sow_i_morph_groups *g);
/** Prepared rows of the cells (positions in g->cell) or controls (positions in g->control) at `which` [n] into out [n, d]. */
typedef enum { SOW_I_PERTURBED, SOW_I_CONTROLS } sow_i_side;
SOW_MUST_CHECK sow_status sow_i_morph_rows(float *out, const sow_i_morph_groups *g, sow_i_side side, const sow_index *which, sow_index n, const sow_env *env,
                                           sow_error *err);
/** Where rows are prepared when needed: say that these (positions in g->cell or g->control) are needed soon. */
void sow_i_morph_expect(const sow_i_morph_groups *g, sow_i_side side, const sow_index *which, sow_index n);
/** Mean squared distance between (at most 1024) controls: the default bandwidth. Above 0. */
SOW_MUST_CHECK sow_status sow_i_morph_sigma(double *sigma, const sow_i_morph_groups *g, const sow_i_morph_settings *s, const sow_env *env, sow_error *err);

/* ---- batches.c ---- */

/** One epoch, cut into chunks of cells of one perturbation. */
typedef struct {
    sow_index n, capacity;      /* chunks */
    struct sow_i_chunk {
        sow_index group, first, count; /* cells order[first .. first + count) of that group */
    } *chunk;
    sow_index *order;   /* [cells] positions in groups.cell */
    sow_index *control; /* [cells] position in groups.control for the cell at that place of `order` */
    sow_index *deck;    /* room to draw controls */
} sow_i_morph_plan;
typedef enum { SOW_I_TRAIN, SOW_I_JUDGE } sow_i_purpose;
/** Chunks of the groups g with (fold[g] == member) == (purpose == JUDGE). The plan is reused from epoch to epoch. */
SOW_MUST_CHECK sow_status sow_i_morph_plan_make(sow_i_morph_plan *p, const sow_i_morph_groups *g, const sow_i_morph_settings *s, const sow_index *fold, sow_index member,
                                                sow_index epoch, sow_i_purpose purpose, sow_error *err);
void sow_i_morph_plan_clear(sow_i_morph_plan *p);
/** Chunks that n cells are cut into: of `batch` cells without the remainder, or (small_groups) of nearly equal size. */
sow_index sow_i_morph_chunks(const sow_i_morph_settings *s, sow_index n);
/** fold [groups.n]: which member holds a perturbation out to judge by; -1 = none. */
SOW_MUST_CHECK sow_status sow_i_morph_folds(sow_index *fold, const sow_i_morph_groups *g, const sow_i_morph_settings *s, sow_error *err);

/** One step's input: owns the arrays that `batch` borrows. */
typedef struct {
    sow_morph_batch batch;
    sow_index k_most, rows_most, genes;
    sow_index *x_start, *y_start, *segment, *first, *second, *which, *asked, *row_of; /* row_of [n_items + 1] prior row -> row of the batch + 1 */
    sow_index *distinct; /* prior rows of the batch */
    float *x, *y, *eps, *prior[SOW_MORPH_MOST_PRIORS];
} sow_i_morph_stage;
/** Room for k segments of `rows` rows in all. */
SOW_MUST_CHECK sow_status sow_i_morph_stage_make(sow_i_morph_stage *st, const sow_i_morph_settings *s, const sow_i_morph_genes *genes, sow_index k, sow_index rows, sow_error *err);
void sow_i_morph_stage_clear(sow_i_morph_stage *st);
/** The streams that one epoch draws from: the latent's noise and, unless it is NULL, that on prior rows. */
typedef struct {
    sow_rng *latent, *prior;
} sow_i_noise;
/** Chunks first .. first + k of the plan. */
SOW_MUST_CHECK sow_status sow_i_morph_stage_fill(sow_i_morph_stage *st, const sow_i_morph_plan *p, sow_index first, sow_index k, const sow_i_morph_groups *g,
                                                 const sow_i_morph_genes *genes, const sow_i_morph_settings *s, const sow_i_noise *noise, const sow_env *env, sow_error *err);
/** Segments of given perturbations (with a prior row each) and row counts; x is filled by the caller, there is no y. */
void sow_i_morph_stage_ask(sow_i_morph_stage *st, const sow_index *perturbation, const sow_index *rows, sow_index k, const sow_i_morph_genes *genes, sow_index zc, sow_rng *rng);

/* ---- train.c, select.c ---- */

/** What one epoch was like: means over chunks. */
typedef struct {
    double pred, recon, kl, criterion;
} sow_i_morph_score;
enum { SOW_I_SCORES = 8 }; /* numbers an epoch in `history`: the prediction's loss, reconstruction, KL and criterion of training, then of validation (NaN without) */

/** One member of the ensemble, in training or trained. */
typedef struct {
    sow_index index;
    sow_params *now;       /* NULL once trained */
    sow_params *best;      /* NULL before the first epoch is over */
    sow_index epochs;      /* run so far */
    sow_index best_epoch;  /* -1 = none yet */
    sow_index since;       /* epochs without a better one */
    double best_criterion;
    double *history;       /* [options.epochs, SOW_I_SCORES] */
    double *moved;         /* [n_items] sum of the latent's movements; NaN without a prior row */
    double *before;        /* [n_items, zp] latents after the epoch before */
    int done;
    char *trouble;         /* where numbers stopped being finite; NULL = nowhere */
    sow_params *mean;     /* running mean of `now` over the last epochs: what is judged and kept; NULL = the weights of the last step are */
} sow_i_morph_member;
void sow_i_morph_member_clear(sow_i_morph_member *m);

/** What the networks' mean shifts are joined with: weight x networks + (1 - weight) x line. */
typedef struct {
    sow_model *line;  /* `linear` on the same items; NULL = the networks alone */
    sow_index target;
    sow_index held;   /* perturbations that the weight was chosen on */
    double weight;    /* below 0: not chosen yet */
} sow_i_morph_stack;

/** All of a model. */
typedef struct {
    sow_model base;
    sow_i_morph_settings s;
    sow_i_morph_genes genes;
    sow_i_morph_groups groups;
    sow_index *fold;             /* [groups.n] */
    sow_index n_members;
    sow_i_morph_member *member;
    double *latent;              /* [n_items, zp] of member 0; zeros without a prior row */
    double *mean_shift;          /* [genes] over the target's items: what is said of a perturbation without a prior */
    sow_index n_control;         /* controls that predictions start from */
    float *control;              /* [n_control, genes] */
    sow_i_morph_stack stack;
    sow_i_print print;           /* of what it was trained on */
} sow_i_morph_model;

/** What a training needs at hand. */
typedef struct {
    sow_i_morph_model *model;
    const sow_model_options *options;
    const sow_env *env;
    sow_tape *tape;
    sow_i_morph_stage stage;
    sow_i_morph_plan train, judge;
    float *alpha, *beta; /* [epochs] */
} sow_i_morph_work;

/** Train members from where they are to the end. */
SOW_MUST_CHECK sow_status sow_i_morph_train(sow_i_morph_model *m, const sow_model_options *options, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_morph_member_make(sow_i_morph_member *out, const sow_i_morph_model *m, sow_index index, const sow_model *warm, sow_error *err);
/** The criterion of a score. */
double sow_i_morph_criterion(const sow_i_morph_score *score, const sow_i_morph_settings *s);
/** Validation of member b on what it holds out. *any 0: it holds nothing out. */
SOW_MUST_CHECK sow_status sow_i_morph_judge(sow_i_morph_score *score, int *any, sow_i_morph_work *w, const sow_i_morph_member *b, sow_error *err);
/** Note the epoch that has just been run: keep the weights when they are the best, and say (done) when it is enough. */
SOW_MUST_CHECK sow_status sow_i_morph_note_epoch(sow_i_morph_work *w, sow_i_morph_member *b, const sow_i_morph_score *train, sow_error *err);
/** Add how far every latent moved in this epoch. */
SOW_MUST_CHECK sow_status sow_i_morph_follow(sow_i_morph_work *w, sow_i_morph_member *b, sow_error *err);

/* ---- keep.c ---- */

SOW_MUST_CHECK sow_status sow_i_morph_checkpoint(sow_archive *out, const sow_i_morph_model *m, sow_index member, sow_error *err);
/** Bring back what a checkpoint holds. Of another training: a warning is logged and nothing is taken. */
SOW_MUST_CHECK sow_status sow_i_morph_resume(sow_i_morph_model *m, const sow_archive *state, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_morph_save(const sow_model *model, sow_archive *out, sow_error *err);
/** Settings, folds and members from an archive into a model whose settings, genes and groups are made. SOW_E_DATA: of other genes, priors or widths. */
SOW_MUST_CHECK sow_status sow_i_morph_restore(sow_i_morph_model *m, const sow_archive *a, sow_error *err);

/* ---- predict.c ---- */

/** Latents of every perturbation [n_items, zp] (zeros without a prior row) by the weights p. */
SOW_MUST_CHECK sow_status sow_i_morph_latents(double *latent, sow_params *p, const sow_i_morph_genes *genes, const sow_i_morph_settings *s, sow_tape *tape, sow_error *err);

/** What asking the trained networks needs. */
typedef struct {
    const sow_i_morph_model *model;
    sow_tape *tape;
    sow_i_morph_stage stage;
    float *each; /* [SOW_I_MORPH_CONTROLS, genes] of one member */
} sow_i_morph_asker;
SOW_MUST_CHECK sow_status sow_i_morph_ask_begin(sow_i_morph_asker *a, const sow_i_morph_model *m, const sow_env *env, sow_error *err);
void sow_i_morph_ask_end(sow_i_morph_asker *a);
/** Predicted cells out [n, genes] of a perturbation with a prior row from control rows [n, genes]: of one member, or (member -1) the mean over all. */
SOW_MUST_CHECK sow_status sow_i_morph_cells(float *out, sow_i_morph_asker *a, sow_index member, sow_index perturbation, const float *control, sow_index n, sow_error *err);

/** Mean shift [genes] by one member from the model's own controls; cells [n_control, genes]: room to work. */
SOW_MUST_CHECK sow_status sow_i_morph_shift(double *shift, sow_i_morph_asker *a, sow_index member, sow_index perturbation, float *cells, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_morph_predict(const sow_model *model, const sow_query *query, double *mean, double *var, double *noise, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_morph_generate(const sow_model *model, sow_index perturbation, sow_index context, const float *control, sow_index m, float *out, const sow_env *env,
                                               sow_error *err);

/* ---- stack.c ---- */

/** Fit the line and, unless it is there, choose the weight; the networks are trained. Nothing where the options do not ask for it, or fewer than 8 perturbations are held out. */
SOW_MUST_CHECK sow_status sow_i_morph_stack_make(sow_i_morph_model *m, const sow_training *t, const sow_env *env, sow_error *err);
/** The networks' mean shift [genes] of a perturbation in, the joint one out. */
SOW_MUST_CHECK sow_status sow_i_morph_stacked(double *shift, const sow_i_morph_model *m, sow_index perturbation, sow_error *err);

/* ---- losses.c ---- */

SOW_MUST_CHECK sow_status sow_i_morph_all_losses(const sow_model *model, sow_losses *out, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_morph_loss_on(const sow_model *model, sow_index perturbation, const float *truth, sow_index n, double *loss, const sow_env *env, sow_error *err);

#endif
