#include "io/config_keys.h"

#include "io/config.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define AT(member)                       .offset = offsetof(sow_config, member)
#define LIST_AT(member, n_member)        .offset = offsetof(sow_config, member), .offset_n = offsetof(sow_config, n_member)
#define IN(type_, member)                .offset = offsetof(type_, member)
#define LIST_IN(type_, member, n_member) .offset = offsetof(type_, member), .offset_n = offsetof(type_, n_member)
#define FROM(lowest)                     .min = (lowest), .max = INFINITY
#define RANGE(lowest, highest)           .min = (lowest), .max = (highest)
#define ANY                              .min = -INFINITY, .max = INFINITY
#define GROUP(path_, flags_, sentence_)                                                                                            \
    {                                                                                                                              \
        .path = path_, .type = SOW_KEY_MAPPING, .flags = flags_, .sentence = sentence_                                             \
    }
#define LATER(path_, sentence_)                                                                                                    \
    {                                                                                                                              \
        .path = path_, .type = SOW_KEY_UNSUPPORTED, .sentence = sentence_                                                          \
    }
#define STRATEGIES                                                                                                                 \
    "random,kmeans,kmeans-embedding,core-set,herding,max-variance,greedy,ucb,ei,thompson,reference,probability-of-hit,lookahead,"           \
    "uncertainty,soft-uncertainty,loss-oracle,loss-prediction,least-consistent,most-consistent,functional"
#define STRATEGY_ALIASES                                                                                                           \
    "uniform,k-means,kmeans-data,kmeans-coverage,kmeans-latent,coreset,k-center,kcenter,max-dist,topuncertain,top-uncertainty,"    \
    "maxdet,exploit,mean,upper-confidence-bound,expected-improvement,thompson-sampling,ts,by-reference,poh,pi,look-ahead,"         \
    "latent-drift,softuncertain,uncertainty-random,true-loss,learn-loss,learning-loss,inconsistent,consistent,list"

/* Kept equal to the tables of acquisition/ and models/ by a test: io may not see those folders. */
const char sow_i_hit_strategies[] =
    "greedy,exploit,mean,ucb,upper-confidence-bound,ei,expected-improvement,thompson,thompson-sampling,ts,"
    "probability-of-hit,poh,pi,lookahead,look-ahead,reference,by-reference";
const char sow_i_prior_strategies[] = "kmeans,k-means,kmeans-data,kmeans-coverage,kmeans-embedding,kmeans-latent,core-set,coreset,k-center,kcenter,max-dist,herding,"
    "loss-prediction,learn-loss,learning-loss";
const char sow_i_prior_models[] = "linear,knn,morph";

/* clang-format off */
static const sow_i_key keys[] = {
    {"sower", SOW_KEY_INT, SOW_KEY_REQUIRED, AT(version), RANGE(1, 1), .example = "1", .sentence = "Version of this file format."},
    {"name", SOW_KEY_TEXT, AT(name), .standard_is = "the file's name without .yaml", .example = "my-screen",
     .sentence = "Name of the campaign and of its folder NAME.sower: letters, digits, - _ and dots."},
    {"seed", SOW_KEY_INT, AT(seed), FROM(0), .standard = "1", .sentence = "Seed of every random number of the campaign."},

    GROUP("data", 0, "Where measurements come from."),
    {"data.sources", SOW_KEY_LIST, SOW_KEY_REQUIRED | SOW_KEY_SOME, LIST_AT(sources, n_sources), .size = sizeof(sow_source),
     .sentence = "The files, at least one of them with role target (except with the generative oracle, which needs none)."},
    {"data.sources[].file", SOW_KEY_FILE, SOW_KEY_REQUIRED, IN(sow_source, file), .example = "screen.csv",
     .sentence = "A .csv, .tsv or .txt table (also .gz) or an .h5ad."},
    {"data.sources[].role", SOW_KEY_CHOICE, IN(sow_source, role), .standard = "target", .allowed = "target,reference",
     .sentence = "target: the campaign plans here; reference: another context, known in full."},
    {"data.sources[].context", SOW_KEY_MAPPING, .shorthand = "name", .standard_is = "the file's name",
     .sentence = "Cell line, donor or condition: a name for the whole file, or {column: COLUMN}."},
    {"data.sources[].context.name", SOW_KEY_TEXT, IN(sow_source, context), .example = "K562",
     .sentence = "One name for every row; `context: NAME` is short for it."},
    {"data.sources[].context.column", SOW_KEY_TEXT, IN(sow_source, context_column), .example = "cell_line",
     .sentence = "Column with the context of each row."},
    {"data.sources[].contexts", SOW_KEY_TEXTS, LIST_IN(sow_source, keep_contexts, n_keep_contexts), .standard = "[]",
     .standard_is = "all", .example = "[K562]", .sentence = "Keep only these values of context.column."},
    {"data.sources[].perturbation", SOW_KEY_MAPPING, SOW_KEY_REQUIRED, .shorthand = "column",
     .sentence = "What was done; `perturbation: COLUMN` is short for {column: COLUMN}."},
    {"data.sources[].perturbation.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, perturbation_column), .example = "gene",
     .sentence = "Column with the name of the perturbation."},
    {"data.sources[].perturbation.separator", SOW_KEY_TEXT, IN(sow_source, separator), .example = "\"+\"",
     .sentence = "Joins the agents of a combination, as + in A+B."},
    {"data.sources[].perturbation.control", SOW_KEY_TEXT, IN(sow_source, control), .example = "non-targeting",
     .sentence = "Name of the control rows; they are not candidates."},
    {"data.sources[].perturbation.dose", SOW_KEY_MAPPING, .shorthand = "column", .sentence = "Dose of each row."},
    {"data.sources[].perturbation.dose.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, dose_column), .example = "dose",
     .sentence = "Column with the dose; `dose: COLUMN` is short for it."},
    {"data.sources[].perturbation.guide", SOW_KEY_MAPPING, .shorthand = "column", .sentence = "Cells: guide of each cell."},
    {"data.sources[].perturbation.guide.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, guide_column), .example = "grna",
     .sentence = "Column with the guide, for consistency between guides; `guide: COLUMN` is short for it."},
    {"data.sources[].replicate", SOW_KEY_MAPPING, .shorthand = "column", .sentence = "Biological replicate of each row."},
    {"data.sources[].replicate.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, replicate_column), .example = "replicate",
     .sentence = "Column with the replicate; `replicate: COLUMN` is short for it."},
    {"data.sources[].cells", SOW_KEY_MAPPING, .shorthand = "column", .sentence = "How many cells are behind each row."},
    {"data.sources[].cells.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, cells_column), .example = "n_cells",
     .sentence = "Column with the number of cells, the weight of a row; `cells: COLUMN` is short for it."},
    {"data.sources[].variance", SOW_KEY_MAPPING, .shorthand = "column", .sentence = "How uncertain each row is."},
    {"data.sources[].variance.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, variance_column), .example = "variance",
     .sentence = "Column with the variance of the value; rows are weighted by 1/variance; `variance: COLUMN` is short for it."},
    {"data.sources[].duplicates", SOW_KEY_CHOICE, IN(sow_source, duplicates_allowed), .standard = "allowed", .allowed = "error,allowed",
     .sentence = "Rows with the same perturbation and context: allowed takes them as replicates and merges them by weight."},
    {"data.sources[].values", SOW_KEY_CHOICE, IN(sow_source, values), .standard_is = "counts for the readout cells, else response",
     .allowed = "response,counts,log1p", .example = "counts",
     .sentence = "What the numbers are: finished readouts or responses; for cells raw counts, or values normalised and log1p-transformed already."},
    {"data.sources[].technical_batch", SOW_KEY_MAPPING, .shorthand = "column", .sentence = "Cells: technical batch of each cell."},
    {"data.sources[].technical_batch.column", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_source, batch_column), .example = "gem_group",
     .sentence = "Column with the batch (lane, library); cells are compared with controls of their own; `technical_batch: COLUMN` is short for it."},
    {"data.sources[].layer", SOW_KEY_TEXT, IN(sow_source, layer), .standard_is = "X", .example = "counts",
     .sentence = "Cells: the matrix of the .h5ad that is read: X, raw, or the name of a layer."},
    {"data.sources[].gene_names", SOW_KEY_TEXT, IN(sow_source, gene_column), .standard_is = "the index of var", .example = "gene_symbol",
     .sentence = "Cells: column of var with the gene names."},
    {"data.sources[].labels", SOW_KEY_FILE, IN(sow_source, labels), .example = "cells.csv",
     .sentence = "Cells in a MatrixMarket folder: a table with their labels, the first column being the barcode."},

    GROUP("readout", 0, "What a measurement is."),
    {"readout.kind", SOW_KEY_CHOICE, AT(readout.kind), .example = "scalar", .allowed = "scalar,profile,cells",
     .standard_is = "scalar when readout.column is given or the oracle is generative, else profile",
     .sentence = "scalar: one number a perturbation; profile: one response vector; cells: a distribution of expression vectors, beside controls."},
    {"readout.column", SOW_KEY_TEXT, AT(readout.column), .example = "score", .sentence = "Scalar: the column with the number."},
    {"readout.transform", SOW_KEY_ENUM, AT(readout.transform), .standard = "none",
     .allowed = "none,log1p,log,log2,log10,sqrt,abs,rank",
     .sentence = "Applied to each number first; rank, for profiles only, ranks the numbers of each row."},
    {"readout.adjust_for", SOW_KEY_TEXTS, LIST_AT(readout.adjust_for, readout.n_adjust), .standard = "[]", .example = "[log(cells)]",
     .sentence = "Covariates taken out by a line fitted on what is measured: cells, log(cells), COLUMN or log(COLUMN)."},

    GROUP("features", 0, "Cells: how they are prepared. Fitted at round 0 on controls, references and the initial cells, then frozen."),
    {"features.min_genes_per_cell", SOW_KEY_INT, AT(features.min_genes_per_cell), FROM(0), .unit = "genes", .standard = "0",
     .sentence = "Cells with fewer genes seen are left out."},
    {"features.min_cells_per_gene", SOW_KEY_INT, AT(features.min_cells_per_gene), FROM(0), .unit = "cells", .standard = "3",
     .sentence = "Genes seen in fewer cells of the fit are left out, of totals too."},
    {"features.min_cells_per_perturbation", SOW_KEY_INT, AT(features.min_cells_per_perturbation), FROM(1), .unit = "cells", .standard = "16",
     .sentence = "Perturbations with fewer cells in a context are left out there, by name."},
    {"features.max_cells_per_perturbation", SOW_KEY_INT, AT(features.max_cells_per_perturbation), FROM(0), .unit = "cells", .standard = "0",
     .sentence = "More cells of one perturbation in one context are thinned at random; 0 = no cap."},
    {"features.target_sum", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(features.target_sum), FROM(0), .unit = "counts", .standard = "median",
     .word = "median", .sentence = "Each cell's counts are scaled to this sum; median: of the totals of the cells of the fit."},
    {"features.log1p", SOW_KEY_BOOL, AT(features.log1p), .standard = "true", .sentence = "Take log(1 + x) of the scaled counts."},
    {"features.highly_variable", SOW_KEY_INT, AT(features.n_highly_variable), FROM(2), .unit = "genes", .standard = "all", .word = "all",
     .sentence = "Keep this many highly variable genes of each context."},
    {"features.flavour", SOW_KEY_CHOICE, AT(features.flavour), .standard = "seurat", .allowed = "seurat,seurat_v3",
     .sentence = "How they are chosen, as scanpy's flavours of these names do; seurat_v3 needs counts."},
    {"features.across", SOW_KEY_CHOICE, AT(features.across), .standard = "union", .allowed = "union,intersection",
     .sentence = "How the choices of several contexts are joined."},
    LATER("features.symbols", "rename genes in the file, or choose a column of var with data.sources[].gene_names"),

    {"priors", SOW_KEY_LIST, LIST_AT(priors, n_priors), .size = sizeof(sow_prior_spec),
     .sentence = "What is known of a gene or drug before it is measured."},
    {"priors[].name", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_prior_spec, name), .example = "pathways",
     .sentence = "Name used by model.prior, quotas and reports; each once."},
    {"priors[].file", SOW_KEY_FILE, IN(sow_prior_spec, file), .example = "pathways.gmt.gz",
     .sentence = "A .gmt (gene sets), .csv or .tsv table (these also .gz), .npy or .h5ad; or give `context`."},
    {"priors[].key", SOW_KEY_TEXT, IN(sow_prior_spec, key), .standard_is = "the first column", .example = "gene",
     .sentence = "Table: column with the names."},
    {"priors[].columns", SOW_KEY_TEXTS, LIST_IN(sow_prior_spec, columns, n_columns), .standard = "[]",
     .standard_is = "every numeric column but the key", .example = "[x, y]", .sentence = "Table: the columns used."},
    {"priors[].names", SOW_KEY_FILE, IN(sow_prior_spec, names), .example = "genes.txt",
     .sentence = ".npy: a file with the name of each row, one a line."},
    {"priors[].context", SOW_KEY_TEXT, IN(sow_prior_spec, context), .example = "K562",
     .sentence = "Instead of a file: the measured responses of this reference context are the prior; not with single cells."},
    {"priors[].min_set_size", SOW_KEY_INT, IN(sow_prior_spec, min_set_size), FROM(1), .unit = "members", .standard = "2",
     .sentence = "Gene sets with fewer members among the perturbations are left out."},
    {"priors[].max_set_size", SOW_KEY_INT, IN(sow_prior_spec, max_set_size), FROM(0), .unit = "members", .standard = "0",
     .sentence = "Gene sets with more members are left out; 0 = no bound."},
    {"priors[].shuffle", SOW_KEY_BOOL, IN(sow_prior_spec, shuffle), .standard = "false",
     .sentence = "Control arm: the rows change owners at random, so that the prior knows nothing."},

    GROUP("model", 0, "What learns from the measurements."),
    {"model.kind", SOW_KEY_ENUM, AT(model.kind), .standard = "gp", .allowed = "control,train-mean,source-shift,two-way,additive,linear,knn,gp,morph,hypermap",
     .aliases = "seed-mean", .sentence = "The model that guides the choice."},
    {"model.prior", SOW_KEY_TEXTS, LIST_AT(model.use, model.n_use), .standard = "[]", .standard_is = "all", .example = "[pathways]",
     .sentence = "Names of the priors it uses."},
    {"model.prior_dims", SOW_KEY_INT, AT(model.prior_dims), FROM(0), .standard = "64",
     .sentence = "Principal components kept of all priors together, for linear, knn, morph and the strategies; 0 = no reduction."},
    {"model.neighbours", SOW_KEY_INT, AT(model.neighbours), FROM(1), .standard = "10", .sentence = "knn: how many."},
    {"model.kernel", SOW_KEY_ENUM, AT(model.kernel), .standard = "auto", .allowed = "auto,rbf,exponential,matern32,tanimoto,linear",
     .sentence = "gp: kernel of every prior; auto chooses one for each by marginal likelihood."},
    {"model.transfer", SOW_KEY_ENUM, AT(model.transfer), .standard = "coregionalised", .allowed = "coregionalised,mean,none",
     .sentence = "gp: how reference contexts are used."},
    {"model.iterations", SOW_KEY_INT, AT(model.iterations), FROM(1), .standard = "60", .sentence = "gp: most iterations of the fit."},
    {"model.components", SOW_KEY_INT, AT(model.components), FROM(1), .standard = "30",
     .sentence = "gp, profile readout: response components modelled."},
    {"model.mode", SOW_KEY_ENUM, AT(model.mode), .standard = "default", .allowed = "default,reference",
     .sentence = "morph, hypermap: reference is the model exactly as published; default mends what is weak in it (docs/math/morph.md, docs/math/hypermap.md)."},
    {"model.variant", SOW_KEY_ENUM, AT(model.variant), .standard = "plain", .allowed = "plain,no-residual1,no-residual1-as-published,moe",
     .sentence = "morph: without the first residual (for reading programs), or three experts for three priors (moe)."},
    {"model.start", SOW_KEY_ENUM, AT(model.start), .standard = "scratch", .allowed = "scratch,warm",
     .sentence = "morph: every round trains from fresh weights, or goes on from those of the round before."},
    {"model.epochs", SOW_KEY_INT, AT(model.epochs), RANGE(1, 100000), .standard = "100", .unit = "epochs", .sentence = "morph: most passes over the cells in a round."},
    {"model.patience", SOW_KEY_INT, AT(model.patience), RANGE(1, 100000), .standard = "20", .unit = "epochs",
     .sentence = "morph: training stops after so many without a better criterion on the validation perturbations."},
    {"model.validation", SOW_KEY_NUMBER, AT(model.validation), RANGE(0, 0.9), .standard = "0.1",
     .sentence = "morph: share of the measured perturbations that judge epochs instead of training."},
    {"model.members", SOW_KEY_INT, AT(model.members), RANGE(1, 64), .standard = "1",
     .sentence = "morph: networks in the ensemble, each with weights and validation perturbations of its own."},
    {"model.batch", SOW_KEY_INT, AT(model.batch), RANGE(2, 4096), .standard = "32", .unit = "cells", .sentence = "morph: cells of one perturbation in a step."},
    {"model.segments", SOW_KEY_INT, AT(model.segments), RANGE(0, 1024), .standard = "0", .standard_is = "chosen by the size of the screen",
     .sentence = "morph: perturbations in a step; 1 as published."},
    {"model.learning_rate", SOW_KEY_NUMBER, AT(model.learning_rate), FROM(0), .standard = "0", .standard_is = "chosen; 1e-4 with mode reference",
     .sentence = "morph: of Adam; 0 = chosen by the number of perturbations in a step."},
    {"model.clamp", SOW_KEY_NUMBER, AT(model.clamp), FROM(0), .standard = "0.5", .sentence = "morph: every entry of a gradient is kept within this; 0 = not."},
    {"model.alpha", SOW_KEY_NUMBER, AT(model.alpha), FROM(0), .standard = "2", .sentence = "morph: largest weight of the prediction's MMD."},
    {"model.beta", SOW_KEY_NUMBER, AT(model.beta), FROM(0), .standard = "1", .sentence = "morph: largest weight of the KL divergence."},
    {"model.gamma1", SOW_KEY_NUMBER, AT(model.gamma1), FROM(0), .standard = "1", .sentence = "morph: weight of the MMD of reconstructed controls."},
    {"model.gamma2", SOW_KEY_NUMBER, AT(model.gamma2), FROM(0), .standard = "0", .sentence = "morph: weight of their squared error."},
    {"model.sigma", SOW_KEY_NUMBER, AT(model.sigma), FROM(0), .standard = "0", .standard_is = "mean squared distance between controls; 1500 with mode reference",
     .sentence = "morph: bandwidth of the MMD; 0 = chosen."},
    {"model.kernels", SOW_KEY_INT, AT(model.kernels), RANGE(1, 30), .standard = "10", .sentence = "morph: Gaussian kernels of the MMD, bandwidths doubling."},
    {"model.latent_cell", SOW_KEY_INT, AT(model.latent_cell), RANGE(1, 4096), .standard = "50", .sentence = "morph: width of a cell's latent."},
    {"model.latent_perturbation", SOW_KEY_INT, AT(model.latent_perturbation), RANGE(1, 256), .standard = "50",
     .sentence = "morph: width of a perturbation's latent, the learned representation."},
    {"model.programs", SOW_KEY_INT, AT(model.programs), RANGE(1, 4096), .standard = "50", .sentence = "morph: learned gene programs."},
    {"model.program_dim", SOW_KEY_INT, AT(model.program_dim), RANGE(1, 4096), .standard = "50", .sentence = "morph: numbers that describe a program."},
    {"model.hidden", SOW_KEY_INT, AT(model.hidden), RANGE(1, 4096), .standard = "128", .sentence = "morph: second layer of the cell encoder."},
    {"model.encoder", SOW_KEY_INT, AT(model.encoder), RANGE(1, 16384), .standard = "512", .sentence = "morph: first layer of the cell encoder."},
    {"model.unbiased", SOW_KEY_BOOL, AT(model.unbiased), .standard = "true", .standard_is = "true; false with mode reference", .sentence = "morph: MMD without the bias of small batches."},
    {"model.fresh_controls", SOW_KEY_BOOL, AT(model.fresh_controls), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "morph: controls are drawn anew in every epoch; else each perturbed cell keeps one."},
    {"model.weighted_criterion", SOW_KEY_BOOL, AT(model.weighted_criterion), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "morph: epochs are judged by the loss with its final weights; else by pred + recon + KL."},
    {"model.last_weights", SOW_KEY_BOOL, AT(model.last_weights), .standard = "false",
     .sentence = "morph: train for all epochs and keep the last weights, not those of the best epoch: what suits one network is too early for an ensemble."},
    {"model.stack", SOW_KEY_BOOL, AT(model.stack), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "morph, hypermap: mean changes are joined with those of linear (morph) or gp (hypermap), each weighed by how well it predicts perturbations held out of both; else the networks' alone."},
    {"model.mean_latent", SOW_KEY_BOOL, AT(model.mean_latent), .standard = "false",
     .sentence = "morph: mean shifts take the mean of a cell's latent, else a draw, as in training; predicted cells always take a draw."},
    {"model.small_groups", SOW_KEY_BOOL, AT(model.small_groups), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "morph: groups and remainders smaller than a batch are used; else dropped."},
    {"model.paired_change", SOW_KEY_BOOL, AT(model.paired_change), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "morph: predicted cells are the controls plus the difference of the two paths; else the perturbed path's output."},
    {"model.mean_epochs", SOW_KEY_NUMBER, AT(model.mean_epochs), FROM(0), .standard = "4", .standard_is = "4; 0 with mode reference", .unit = "epochs",
     .sentence = "morph: the weights that are judged and kept are a running mean over so many epochs; 0 = those of the last step."},
    {"model.prior_noise", SOW_KEY_NUMBER, AT(model.prior_noise), FROM(0), .standard = "0.3", .standard_is = "0.3; 0 with mode reference",
     .sentence = "morph: standard deviation of noise that is added to the entries of prior rows, anew in every step of training; 0 = none."},
    {"model.scaled_prior", SOW_KEY_BOOL, AT(model.scaled_prior), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "morph: the priors' rows are brought to a mean square of 1 by one number; else taken as they are."},

    GROUP("model.hypermap", 0, "Settings of the model hypermap; what is not said is chosen, or as published with model.mode reference."),
    {"model.hypermap.form", SOW_KEY_ENUM, AT(model.hypermap.form), .standard = "programs", .standard_is = "programs; network with mode reference", .allowed = "programs,network",
     .sentence = "programs: gene programs whose activity a context sets, learned in closed form (model.components of them at most); network: the published hypernetwork, which the other keys here are about."},
    {"model.hypermap.embedding", SOW_KEY_ENUM, AT(model.hypermap.embedding), .standard = "auto", .allowed = "auto,prior,one-hot,response",
     .sentence = "What tells perturbations apart: a prior, one-hot, or what they do in the other contexts (with the prior beside it); auto: response where there are two references, else the prior, else one-hot."},
    {"model.hypermap.rows", SOW_KEY_ENUM, AT(model.hypermap.rows), .standard = "means", .standard_is = "means; cells with mode reference", .allowed = "means,cells",
     .sentence = "Learn from mean responses, in coordinates along the references' response components (model.components), or from single cells, gene by gene."},
    {"model.hypermap.fusion", SOW_KEY_ENUM, AT(model.hypermap.fusion), .standard = "auto", .standard_is = "context; rows with mode reference", .allowed = "auto,rows,whole,gated,context,tokens",
     .sentence = "What generated weights depend on: the context alone, or the perturbation too, by attention of weight 1 (whole), gated, over learned tokens, or over the rows of a batch (rows, as published: a prediction then depends on what else is asked)."},
    {"model.hypermap.method", SOW_KEY_ENUM, AT(model.hypermap.method), .standard = "exact", .allowed = "exact,first-order,reptile,joint",
     .sentence = "How the start of adaptation is learned: exact second-order meta-gradients, without second derivatives, reptile, or joint training without adaptation in mind."},
    {"model.hypermap.split", SOW_KEY_ENUM, AT(model.hypermap.split), .standard = "perturbations", .standard_is = "perturbations; cells with mode reference", .allowed = "perturbations,cells",
     .sentence = "What a task asks after its inner steps: other perturbations, as in use, or other cells of mostly the same ones."},
    {"model.hypermap.balanced", SOW_KEY_BOOL, AT(model.hypermap.balanced), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "Tasks go through all contexts before one comes again; else as published."},
    {"model.hypermap.fresh_controls", SOW_KEY_BOOL, AT(model.hypermap.fresh_controls), .standard = "true", .standard_is = "true; false with mode reference",
     .sentence = "rows cells: a cell's control is drawn anew in every outer step; else once."},
    {"model.hypermap.steps", SOW_KEY_INT, AT(model.hypermap.steps), RANGE(0, 1000000), .standard = "0", .standard_is = "200; 50 for rows cells", .sentence = "Outer steps."},
    {"model.hypermap.tasks", SOW_KEY_INT, AT(model.hypermap.tasks), RANGE(0, 1024), .standard = "0", .standard_is = "4", .sentence = "Contexts in an outer step."},
    {"model.hypermap.batch", SOW_KEY_INT, AT(model.hypermap.batch), RANGE(0, 65536), .standard = "0", .standard_is = "20; 512 for rows cells", .unit = "rows", .sentence = "Rows of a batch."},
    {"model.hypermap.inner_batches", SOW_KEY_INT, AT(model.hypermap.inner_batches), RANGE(0, 1024), .standard = "0", .standard_is = "1; 5 for rows cells", .sentence = "Batches of a task's inner loop."},
    {"model.hypermap.inner_steps", SOW_KEY_INT, AT(model.hypermap.inner_steps), RANGE(0, 1024), .standard = "0", .standard_is = "5", .sentence = "Inner steps on each batch."},
    {"model.hypermap.adapt_steps", SOW_KEY_INT, AT(model.hypermap.adapt_steps), RANGE(0, 100000), .standard = "0", .standard_is = "50; 1 for rows cells", .sentence = "Steps on each batch of the target's seeds."},
    {"model.hypermap.inner_rate", SOW_KEY_NUMBER, AT(model.hypermap.inner_rate), RANGE(0, 1000000), .standard = "0", .standard_is = "0.002; 0.005 for rows cells", .sentence = "Rate of inner steps."},
    {"model.hypermap.adapt_rate", SOW_KEY_NUMBER, AT(model.hypermap.adapt_rate), RANGE(0, 1000000), .standard = "0", .standard_is = "inner_rate", .sentence = "Rate of adaptation to the target."},
    {"model.hypermap.meta_rate", SOW_KEY_NUMBER, AT(model.hypermap.meta_rate), RANGE(0, 1000000), .standard = "0", .standard_is = "0.001; 0.0005 for rows cells", .sentence = "Adam's rate of outer steps."},
    {"model.hypermap.dropout", SOW_KEY_NUMBER, AT(model.hypermap.dropout), RANGE(-1, 0.95), .standard = "-1", .standard_is = "0; 0.2 with mode reference", .sentence = "Dropout in both encoders, in training and adaptation."},
    {"model.hypermap.clip", SOW_KEY_NUMBER, AT(model.hypermap.clip), RANGE(-1, 1e12), .standard = "-1", .standard_is = "10; 0 with mode reference", .sentence = "Norm that the outer gradient is scaled down to; 0 = not."},
    {"model.hypermap.latent", SOW_KEY_INT, AT(model.hypermap.latent), RANGE(0, 4096), .standard = "0", .standard_is = "32; 64 for rows cells", .sentence = "Width of the latents of cells and perturbations."},
    {"model.hypermap.hidden", SOW_KEY_INT, AT(model.hypermap.hidden), RANGE(0, 4096), .standard = "0", .standard_is = "64; 256 for rows cells", .sentence = "Width of hidden layers."},
    {"model.hypermap.members", SOW_KEY_INT, AT(model.hypermap.members), RANGE(0, 64), .standard = "0", .standard_is = "4; 1 for rows cells", .sentence = "Networks whose predictions are averaged."},
    {"model.hypermap.validate", SOW_KEY_BOOL, AT(model.hypermap.validate), .standard = "false", .sentence = "One reference context (each network another) is not learned from but judges outer steps and ends the training early."},
    {"model.hypermap.patience", SOW_KEY_INT, AT(model.hypermap.patience), FROM(0), .standard = "4", .sentence = "With validate: judgements, every 5 outer steps, without a better one that end the training; 0 = none do."},
    {"model.hypermap.cell_encoder", SOW_KEY_BOOL, AT(model.hypermap.cell_encoder), .standard = "true", .sentence = "Ablation: false = control cells say nothing of their context."},
    {"model.hypermap.hypernetwork", SOW_KEY_BOOL, AT(model.hypermap.hypernetwork), .standard = "true", .sentence = "Ablation: false = a plain layer in place of generated weights."},

    GROUP("objective", 0, "What the campaign is for."),
    {"objective.kind", SOW_KEY_ENUM, AT(objective.kind), .standard = "learn", .allowed = "learn,hits",
     .sentence = "learn: predict everything well; hits: find the best perturbations."},
    {"objective.top", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN | SOW_KEY_OPEN_MAX, AT(objective.top), RANGE(0, 1),
     .standard_is = "0.1 unless objective.column is given", .example = "0.1",
     .sentence = "Hits are this share of the pool, by the readout."},
    {"objective.column", SOW_KEY_TEXT, AT(objective.column), .example = "fdr",
     .sentence = "Or hits are the perturbations with a row whose value in this column is below or above a bound."},
    {"objective.or_column", SOW_KEY_TEXT, AT(objective.or_column), .example = "other_fdr",
     .sentence = "With column: the same bound on this column makes a hit too (the other side of a two-sided screen)."},
    {"objective.below", SOW_KEY_NUMBER, AT(objective.below), ANY, .example = "0.05", .sentence = "With column: hits are below this."},
    {"objective.above", SOW_KEY_NUMBER, AT(objective.above), ANY, .example = "1", .sentence = "With column: hits are above this."},
    {"objective.direction", SOW_KEY_ENUM, AT(objective.direction), .standard = "high", .allowed = "high,low,both",
     .sentence = "Which values of the readout are wanted; both: those farthest from 0, either way."},

    GROUP("acquisition", 0, "How batches are chosen after the initial one."),
    {"acquisition.strategy", SOW_KEY_ENUM, AT(acquisition.strategy), .standard = "random", .allowed = STRATEGIES,
     .aliases = STRATEGY_ALIASES, .sentence = "The strategy (sower check --list strategies)."},
    {"acquisition.beta", SOW_KEY_NUMBER, AT(acquisition.beta), FROM(0), .standard = "1",
     .sentence = "ucb: weight of the standard deviation beside the mean."},
    {"acquisition.starts", SOW_KEY_INT, AT(acquisition.starts), RANGE(1, 10000), .standard = "10",
     .sentence = "kmeans: k-means++ starts, the best is kept."},
    {"acquisition.representation", SOW_KEY_ENUM, AT(acquisition.representation), .standard = "prior", .allowed = "prior,learned,kernel,reference",
     .sentence = "What a strategy sees of a candidate: its prior, the model's latent (learned), prior and predicted response together (kernel), or its response in the reference contexts (reference)."},
    {"acquisition.weight", SOW_KEY_ENUM, AT(acquisition.weight), .standard = "none",
     .allowed = "none,uncertainty,uncertainty-minmax,uncertainty-softmax,uncertainty-softmax5",
     .sentence = "kmeans: candidates count by how far their latent moved in training, as it is or scaled."},
    {"acquisition.loss_form", SOW_KEY_ENUM, AT(acquisition.loss_form), .standard = "regression", .allowed = "regression,ranking,published,binned",
     .sentence = "loss-prediction: what the network learns of the losses: their values on a common scale, their order, or as published their raw values or one of 15 bins."},
    {"acquisition.loss_target", SOW_KEY_ENUM, AT(acquisition.loss_target), .standard = "all", .allowed = "all,held",
     .sentence = "loss-prediction: learn from all losses, or where there are enough from those of perturbations that were not trained on."},
    {"acquisition.loss_members", SOW_KEY_INT, AT(acquisition.loss_members), RANGE(1, 1000), .standard = "1",
     .sentence = "loss-prediction: networks whose predictions are averaged."},
    {"acquisition.loss_cells", SOW_KEY_BOOL, AT(acquisition.loss_cells), .standard = "false",
     .sentence = "loss-prediction: take from the losses what the number of cells explains before learning."},
    {"acquisition.consistency", SOW_KEY_ENUM, AT(acquisition.consistency), .standard = "corrected", .allowed = "corrected,published",
     .sentence = "least-consistent, most-consistent: less what the noise of few cells adds, where it is known, or as published."},
    {"acquisition.list", SOW_KEY_TEXTS, LIST_AT(acquisition.list, acquisition.n_list), .standard = "[]", .example = "[POU5F1, CHD4]",
     .sentence = "functional: perturbations to take, in this order."},
    {"acquisition.stream", SOW_KEY_INT, AT(acquisition.stream), RANGE(0, 4294967295.0), .standard = "0",
     .sentence = "Other random choices after round 0 with the same seed, world and initial set: to compare chance with chance."},

    GROUP("rounds", SOW_KEY_REQUIRED, "How many perturbations in each round."),
    GROUP("rounds.initial", SOW_KEY_REQUIRED, "Round 0, chosen before anything is known."),
    {"rounds.initial.size", SOW_KEY_INT, SOW_KEY_REQUIRED, AT(rounds.initial_size), FROM(1), .unit = "perturbations", .example = "20",
     .sentence = "Its size."},
    {"rounds.initial.strategy", SOW_KEY_ENUM, AT(rounds.initial_strategy), .standard = "random", .allowed = STRATEGIES,
     .aliases = STRATEGY_ALIASES, .sentence = "Its strategy."},
    {"rounds.batches", SOW_KEY_INTS, LIST_AT(rounds.batches, rounds.n_batches), FROM(1), .unit = "perturbations", .standard = "[]",
     .example = "[20, 20]", .sentence = "Sizes of the rounds after it."},

    GROUP("oracle", SOW_KEY_REQUIRED, "Who answers when a batch is measured."),
    {"oracle.kind", SOW_KEY_ENUM, SOW_KEY_REQUIRED, AT(oracle.kind), .allowed = "replay,generative,lab", .example = "replay",
     .sentence = "replay: the finished screen in data; generative: a simulator; lab: people, by `sower record`."},
    GROUP("oracle.held_out", 0, "Perturbations kept out of the pool and of every fit, to evaluate on; one of its keys."),
    {"oracle.held_out.fraction", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(oracle.held_fraction), RANGE(0, 1), .example = "0.2",
     .sentence = "A random share of all."},
    {"oracle.held_out.count", SOW_KEY_INT, AT(oracle.held_count), FROM(0), .none = -1, .unit = "perturbations", .example = "40",
     .sentence = "A random set of this size."},
    {"oracle.held_out.list", SOW_KEY_FILE, AT(oracle.held_list), .example = "held-out.txt", .sentence = "A file of names, one a line."},
    {"oracle.failure_rate", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(oracle.failure_rate), RANGE(0, 1), .standard = "0",
     .sentence = "Generative: share of measurements that fail."},
    {"oracle.perturbations", SOW_KEY_INT, AT(oracle.perturbations), RANGE(2, 200000), .standard = "400",
     .sentence = "Generative: perturbations in all."},
    {"oracle.modules", SOW_KEY_INT, AT(oracle.modules), RANGE(1, 200000), .standard = "24",
     .sentence = "Generative: groups of perturbations with a common effect."},
    {"oracle.prior_dims", SOW_KEY_INT, AT(oracle.prior_dims), RANGE(2, 10000), .standard = "16",
     .sentence = "Generative: dimensions of its prior."},
    {"oracle.genes", SOW_KEY_INT, AT(oracle.genes), RANGE(10, 100000), .standard = "500", .sentence = "Generative, cells: genes."},
    {"oracle.programs", SOW_KEY_INT, AT(oracle.programs), RANGE(1, 100000), .standard = "30", .sentence = "Generative, cells: gene programs that modules move."},
    {"oracle.controls", SOW_KEY_INT, AT(oracle.controls), RANGE(2, 10000000), .standard = "4000", .unit = "cells", .sentence = "Generative, cells: control cells of each context."},
    {"oracle.cells", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(oracle.cells), FROM(0), .unit = "cells", .standard = "100",
     .sentence = "Generative: median cells of a perturbation."},
    {"oracle.informativeness", SOW_KEY_NUMBER, AT(oracle.informativeness), RANGE(0, 1), .standard = "0.7",
     .sentence = "Generative: 0 = the prior is noise, 1 = it knows modules and effects."},
    {"oracle.contexts", SOW_KEY_INT, AT(oracle.contexts), RANGE(1, 1000), .standard = "1",
     .sentence = "Generative, cells: contexts. Of several C1 is the target and C2, C3, ... are references (see oracle.targets)."},
    {"oracle.targets", SOW_KEY_INT, AT(oracle.targets), RANGE(1, 64), .standard = "1",
     .sentence = "Several contexts: the first so many are targets, which the campaign measures in together."},
    {"oracle.context_scale", SOW_KEY_NUMBER, AT(oracle.context_scale), RANGE(0, 3), .standard = "0.5",
     .sentence = "Several contexts: log standard deviation of how much a program does in a context."},
    {"oracle.context_flip", SOW_KEY_NUMBER, AT(oracle.context_flip), RANGE(0, 1), .standard = "0.15",
     .sentence = "Several contexts: probability that a program does the opposite in a context."},
    {"oracle.context_lose", SOW_KEY_NUMBER, AT(oracle.context_lose), RANGE(0, 1), .standard = "0.2",
     .sentence = "Several contexts: probability that a program does nothing in a context."},
    {"oracle.context_shift", SOW_KEY_NUMBER, AT(oracle.context_shift), RANGE(0, 100), .standard = "1",
     .sentence = "Several contexts: size of the change that all perturbed cells of a context share; 1 = that of the median perturbation."},
    {"oracle.context_baseline", SOW_KEY_NUMBER, AT(oracle.context_baseline), RANGE(0, 3), .standard = "0.5",
     .sentence = "Several contexts: log standard deviation of a gene's level in controls between contexts."},
    {"oracle.context_coverage", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(oracle.context_coverage), RANGE(0, 1), .standard = "1",
     .sentence = "Several contexts: share of the perturbations that a reference has measured; the target has all."},
    {"oracle.noise_per_cell", SOW_KEY_NUMBER, AT(oracle.noise_per_cell), FROM(0), .standard = "4",
     .sentence = "Generative: standard deviation of one cell's readout; n cells have this over the square root of n."},
    {"oracle.baseline", SOW_KEY_FILE, AT(oracle.baseline), .example = "calibration.json",
     .sentence = "Generative, cells: a measured baseline, the file that `sower calibrate` writes or a table with response_id, relative_expression and expression_size. oracle.genes are its most expressed, all of them where it has fewer."},
    {"oracle.saturation", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(oracle.saturation), RANGE(0, 1e9), .unit = "UMIs", .example = "59163",
     .sentence = "Generative, cells: UMIs of a cell sequenced to saturation; how many are seen then follows from design.reads_per_cell. Not given: as many as the baseline's cells have, or 12,000."},
    {"oracle.guides", SOW_KEY_INT, AT(oracle.guides), RANGE(0, 1000), .standard = "0", .sentence = "Generative, cells: guides of a perturbation, which its cells carry alike; 0 = cells name no guide."},
    {"oracle.efficiency", SOW_KEY_NUMBER, AT(oracle.efficiency), RANGE(0, 1), .standard = "1",
     .sentence = "Guides: mean part of a perturbation's log fold changes that a working guide brings about."},
    {"oracle.efficiency_sd", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(oracle.efficiency_sd), RANGE(0, 0.5), .standard = "0",
     .sentence = "Guides: standard deviation of that part between guides (beta-distributed)."},
    {"oracle.failed_guides", SOW_KEY_NUMBER, AT(oracle.failed_guides), RANGE(0, 1), .standard = "0", .sentence = "Guides: probability that a guide does nothing."},
    {"oracle.escapers", SOW_KEY_NUMBER, AT(oracle.escapers), RANGE(0, 1), .standard = "0", .sentence = "Generative, cells: share of perturbed cells that are as controls."},
    {"oracle.technical_batches", SOW_KEY_INT, AT(oracle.technical_batches), RANGE(1, 10000), .standard = "1", .sentence = "Generative, cells: technical batches, over which all cells are spread."},
    {"oracle.batch_effect", SOW_KEY_NUMBER, AT(oracle.batch_effect), RANGE(0, 3), .standard = "0", .sentence = "Technical batches: log standard deviation of a gene's level between them."},
    {"oracle.batch_depth", SOW_KEY_NUMBER, AT(oracle.batch_depth), RANGE(0, 3), .standard = "0", .sentence = "Technical batches: log standard deviation of their UMIs."},
    {"oracle.doublets", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(oracle.doublets), RANGE(0, 1), .standard = "0",
     .sentence = "Generative, cells: share of barcodes that hold two cells of a context, labelled as one of them."},
    {"oracle.dropout", SOW_KEY_NUMBER, AT(oracle.dropout), RANGE(0, 10), .standard = "0",
     .sentence = "Generative, cells: a knockdown with growth effect x (0 in about half, else half a normal distribution, larger with stronger effects) keeps exp(-dropout x) of its cells."},
    {"oracle.samples", SOW_KEY_INT, AT(oracle.samples), RANGE(1, 10000), .standard = "1", .sentence = "Generative, cells: samples that a round is made in, its perturbations spread over them."},
    {"oracle.lost_samples", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(oracle.lost_samples), RANGE(0, 1), .standard = "0",
     .sentence = "Generative, cells: probability that a sample of a round is lost; its perturbations have failed and may be planned again."},
    {"oracle.combinations", SOW_KEY_INT, AT(oracle.combinations), RANGE(0, 200000), .standard = "0",
     .sentence = "Generative, cells: combinations of two perturbations, beside those alone; both are of the half with the larger effects (potentiation: one is of the other half). docs/decisions/combinations.md."},
    GROUP("oracle.interactions", 0, "Combinations: how often what comes of two together is of which kind, as weights. None given: as among the labelled doubles of Norman et al. 2019 (16, 24, 12, 9, 8, 6, 13); else the others are 0."),
    {"oracle.interactions.additive", SOW_KEY_NUMBER, AT(oracle.interactions[0]), RANGE(0, 1e9), .standard_is = "16, or 0 where another is given", .example = "16", .sentence = "What both do, added up."},
    {"oracle.interactions.synergy", SOW_KEY_NUMBER, AT(oracle.interactions[1]), RANGE(0, 1e9), .standard_is = "24, or 0 where another is given", .example = "24", .sentence = "More than that in all genes."},
    {"oracle.interactions.suppression", SOW_KEY_NUMBER, AT(oracle.interactions[2]), RANGE(0, 1e9), .standard_is = "12, or 0 where another is given", .example = "12", .sentence = "Less than that in all genes."},
    {"oracle.interactions.epistasis", SOW_KEY_NUMBER, AT(oracle.interactions[3]), RANGE(0, 1e9), .standard_is = "9, or 0 where another is given", .example = "9", .sentence = "What one of them does, as if the other were not there."},
    {"oracle.interactions.redundancy", SOW_KEY_NUMBER, AT(oracle.interactions[4]), RANGE(0, 1e9), .standard_is = "8, or 0 where another is given", .example = "8", .sentence = "Of each gene the larger of both changes; both are of one module."},
    {"oracle.interactions.potentiation", SOW_KEY_NUMBER, AT(oracle.interactions[5]), RANGE(0, 1e9), .standard_is = "6, or 0 where another is given", .example = "6", .sentence = "A weak one makes the other do more."},
    {"oracle.interactions.neomorphism", SOW_KEY_NUMBER, AT(oracle.interactions[6]), RANGE(0, 1e9), .standard_is = "13, or 0 where another is given", .example = "13", .sentence = "What both do, and a program that nothing else moves."},

    GROUP("evaluation", 0, "Cells: how predictions are judged on held-out perturbations."),
    {"evaluation.mode", SOW_KEY_CHOICE, AT(evaluation.mode), .standard = "default", .allowed = "default,reference",
     .sentence = "default: DE genes by Wilcoxon among genes that vary, unbiased MMD; reference: as MORPH's publication computes them."},
    {"evaluation.de_genes", SOW_KEY_INT, AT(evaluation.de_genes), RANGE(2, 100000), .unit = "genes", .standard = "50",
     .sentence = "Most differentially expressed genes that the metrics ..._de look at."},

    {"evaluation.losses", SOW_KEY_BOOL, AT(evaluation.losses), .standard = "false",
     .sentence = "With a finished screen and a strategy that goes by losses: plan.json says how predicted losses rank beside true ones. Takes a prediction of every candidate."},
    {"evaluation.measured", SOW_KEY_BOOL, AT(evaluation.measured), .standard = "false",
     .sentence = "With a finished screen or a simulator, whatever the readout: how far what was measured, and what the model makes of it, are from the truth (rmse_..., and for hits calls_...)."},

    GROUP("constraints", 0, "Rules every batch obeys."),
    {"constraints.include", SOW_KEY_TEXTS, LIST_AT(constraints.include, constraints.n_include), .standard = "[]", .example = "[STAT1]",
     .sentence = "Always in the initial round, never held out."},
    {"constraints.exclude", SOW_KEY_LIST, SOW_KEY_ONE_ALONE, LIST_AT(constraints.exclude, constraints.n_exclude),
     .size = sizeof(sow_config_exclude), .sentence = "Never chosen: {names, reason} or {file, reason}, or a list of such."},
    {"constraints.exclude[].names", SOW_KEY_TEXTS, LIST_IN(sow_config_exclude, names, n_names), .standard = "[]", .example = "[SPI1]",
     .sentence = "The perturbations."},
    {"constraints.exclude[].file", SOW_KEY_FILE, IN(sow_config_exclude, file), .example = "essential.txt",
     .sentence = "Or a file of names, one a line."},
    {"constraints.exclude[].reason", SOW_KEY_TEXT, IN(sow_config_exclude, reason), .example = "\"too few cells\"",
     .sentence = "Why, for the report."},
    {"constraints.quota", SOW_KEY_LIST, LIST_AT(constraints.quota, constraints.n_quota), .size = sizeof(sow_config_quota),
     .sentence = "At most or at least so many of a group."},
    {"constraints.quota[].prior", SOW_KEY_TEXT, IN(sow_config_quota, prior), .example = "pathways",
     .sentence = "A prior with gene sets (.gmt) ..."},
    {"constraints.quota[].set", SOW_KEY_TEXT, IN(sow_config_quota, set), .example = "\"Interferon Signaling\"",
     .sentence = "... and the set in it."},
    {"constraints.quota[].names", SOW_KEY_TEXTS, LIST_IN(sow_config_quota, names, n_names), .standard = "[]", .example = "[JAK1, JAK2]",
     .sentence = "Or the perturbations themselves."},
    {"constraints.quota[].context", SOW_KEY_TEXT, IN(sow_config_quota, context), .example = "K562",
     .sentence = "Only in this target context, with several of them; alone: everything measured there."},
    {"constraints.quota[].at_most", SOW_KEY_INT, IN(sow_config_quota, at_most), FROM(0), .none = -1, .unit = "perturbations",
     .example = "3", .sentence = "Upper bound."},
    {"constraints.quota[].at_least", SOW_KEY_INT, IN(sow_config_quota, at_least), FROM(1), .none = 0, .unit = "perturbations",
     .example = "1", .sentence = "Lower bound."},
    {"constraints.quota[].per", SOW_KEY_ENUM, IN(sow_config_quota, per), .standard = "batch", .allowed = "batch,campaign",
     .sentence = "Counted in each batch or over the campaign."},
    {"constraints.controls", SOW_KEY_TEXTS, LIST_AT(constraints.controls, constraints.n_controls), .standard = "[]",
     .example = "[GAPDH]", .sentence = "Positive controls: on every order sheet, never candidates."},
    {"constraints.require_prior", SOW_KEY_BOOL, AT(constraints.require_prior), .standard = "false",
     .sentence = "Only perturbations with a row in some prior of the model may be chosen or held out."},

    GROUP("design", 0, "What a measurement takes in the lab."),
    {"design.guides_per_target", SOW_KEY_INT, AT(design.guides_per_target), RANGE(1, 1000), .unit = "guides", .standard = "1",
     .sentence = "Guides for each perturbation."},
    {"design.cells_per_perturbation", SOW_KEY_INT, AT(design.cells_per_perturbation), RANGE(1, 1e9), .unit = "cells", .standard = "100",
     .sentence = "Cells for each perturbation."},
    {"design.allocation", SOW_KEY_CHOICE, AT(allocation.kind), .standard = "uniform", .allowed = "uniform,expected-gain",
     .sentence = "uniform: as many cells for every perturbation of a batch; expected-gain: as many in all (in each context), but more where the model knows little and, looking for hits, near the threshold. Needs gp, and something measured."},
    {"design.allocation_range", SOW_KEY_NUMBER, AT(allocation.range), RANGE(1, 1000), .unit = "times", .standard = "4",
     .sentence = "expected-gain: a perturbation gets no more than so many times cells_per_perturbation, and no fewer than that part of it (nor than features.min_cells_per_perturbation)."},
    {"design.control_share", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(design.control_share), RANGE(0, 1), .standard = "0",
     .sentence = "Non-targeting controls as a share of all cells."},
    {"design.moi", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(design.moi), FROM(0), .unit = "integrations per cell", .standard = "0.3",
     .sentence = "Multiplicity of infection: how many cells to transduce so that enough carry one guide (in check and plan.json)."},
    {"design.reads_per_cell", SOW_KEY_NUMBER, AT(design.reads_per_cell), FROM(0), .unit = "raw reads", .standard = "0",
     .sentence = "Sequencing depth."},
    {"design.control_guides", SOW_KEY_INT, AT(design.control_guides), RANGE(0, 1e6), .unit = "guides", .standard = "0",
     .sentence = "Non-targeting guides: on every order sheet, billed once, with round 0; 0 = as many lines as the controls' cells fill, and no bill."},
    {"design.selection", SOW_KEY_CHOICE, AT(design.capture), .allowed = "single,infected,all", .standard = "single",
     .sentence = "Which cells are captured, and paid for: those with one guide (sorted), all infected ones (drug selection), or all there are; only what carries one guide counts."},
    {"design.quality_share", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(design.quality_share), RANGE(0, 1), .standard = "1",
     .sentence = "Captured cells that pass quality control with their guide called, as a share."},
    {"design.doublet_share", SOW_KEY_NUMBER, SOW_KEY_OPEN_MAX, AT(design.doublet_share), RANGE(0, 1), .standard = "0",
     .sentence = "Captured cells that are two or more in one droplet, as a share."},
    {"design.survival", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(design.survival), RANGE(0, 1), .standard = "1",
     .sentence = "Transduced cells that are alive when they are captured, as a share: knockdowns of essential genes drop out."},
    {"design.cells_per_lane", SOW_KEY_INT, AT(design.cells_per_lane), RANGE(0, 1e9), .unit = "captured cells", .standard = "0",
     .sentence = "What a lane captures; lanes are whole, and each of one context. 0 = lanes are not counted."},
    GROUP("design.guides", 0, "A guide library, for the order sheet."),
    {"design.guides.file", SOW_KEY_FILE, SOW_KEY_REQUIRED, AT(guides.file), .example = "guides.csv", .sentence = "Its table."},
    {"design.guides.target", SOW_KEY_TEXT, SOW_KEY_REQUIRED, AT(guides.target), .example = "gene",
     .sentence = "Column with the perturbation a guide is for."},
    {"design.guides.id", SOW_KEY_TEXTS, SOW_KEY_REQUIRED | SOW_KEY_SOME, LIST_AT(guides.id, guides.n_id), .example = "[guide_id]",
     .sentence = "Columns with guide names, one or more a row."},
    {"design.guides.sequence", SOW_KEY_TEXTS, SOW_KEY_REQUIRED | SOW_KEY_SOME, LIST_AT(guides.sequence, guides.n_sequence),
     .example = "[sequence]", .sentence = "Columns with their sequences, in the same order."},

    GROUP("costs", 0, "Prices, for the bill."),
    {"costs.currency", SOW_KEY_CURRENCY, AT(costs.currency), .standard = "USD", .sentence = "Printed after amounts."},
    {"costs.per_round", SOW_KEY_NUMBER, AT(costs.per_round), FROM(0), .unit = "currency", .standard = "0", .sentence = "Each round."},
    {"costs.per_context", SOW_KEY_NUMBER, AT(costs.per_context), FROM(0), .unit = "currency", .standard = "0",
     .sentence = "Each context that a round measures in."},
    {"costs.per_perturbation", SOW_KEY_NUMBER, AT(costs.per_perturbation), FROM(0), .unit = "currency", .standard = "0",
     .sentence = "Each perturbation."},
    {"costs.per_guide", SOW_KEY_NUMBER, AT(costs.per_guide), FROM(0), .unit = "currency", .standard = "0", .sentence = "Each guide."},
    {"costs.per_cell", SOW_KEY_NUMBER, AT(costs.per_cell), FROM(0), .unit = "currency", .standard = "0", .sentence = "Each cell that is captured."},
    {"costs.per_control", SOW_KEY_NUMBER, AT(costs.per_control), FROM(0), .unit = "currency", .example = "40", .standard_is = "costs.per_perturbation",
     .sentence = "Each positive control in each context of a round."},
    {"costs.per_lane", SOW_KEY_NUMBER, AT(costs.per_lane), FROM(0), .unit = "currency", .standard = "0",
     .sentence = "Each lane; needs design.cells_per_lane."},
    {"costs.per_million_transduced", SOW_KEY_NUMBER, AT(costs.per_million_transduced), FROM(0), .unit = "currency", .standard = "0",
     .sentence = "Each million cells to transduce: culture and virus."},
    {"costs.per_million_reads", SOW_KEY_NUMBER, AT(costs.per_million_reads), FROM(0), .unit = "currency", .standard = "0",
     .sentence = "Each million raw reads."},
    {"costs.weeks_per_round", SOW_KEY_NUMBER, AT(costs.weeks_per_round), FROM(0), .unit = "weeks", .standard = "0",
     .sentence = "How long a round takes, from its beginning to its results."},
    {"costs.weeks_between_rounds", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(costs.weeks_between_rounds), FROM(0), .unit = "weeks", .example = "3", .standard_is = "costs.weeks_per_round",
     .sentence = "From the beginning of a round to that of the next. Less than costs.weeks_per_round: rounds overlap, and a round is chosen without the results of those still under way."},
    {"costs.contexts", SOW_KEY_LIST, LIST_AT(prices, n_prices), .size = sizeof(sow_config_price),
     .sentence = "Target contexts with prices of their own."},
    {"costs.contexts[].context", SOW_KEY_TEXT, SOW_KEY_REQUIRED, IN(sow_config_price, context), .example = "iPSC",
     .sentence = "The context."},
    {"costs.contexts[].per_context", SOW_KEY_NUMBER, IN(sow_config_price, per_context), FROM(0), .unit = "currency", .example = "4000",
     .standard_is = "costs.per_context", .sentence = "Each round that measures in it."},
    {"costs.contexts[].per_cell", SOW_KEY_NUMBER, IN(sow_config_price, per_cell), FROM(0), .unit = "currency", .example = "0.2",
     .standard_is = "costs.per_cell", .sentence = "Each of its cells."},

    GROUP("budget", 0, "What the campaign may spend. The last round it pays for is cut to what is left, and there are none after it."),
    {"budget.money", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.money), FROM(0), .unit = "currency", .example = "40000", .sentence = "All rounds together, by the bill."},
    {"budget.weeks", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.weeks), FROM(0), .unit = "weeks", .example = "26", .sentence = "Until the results of the last round: a round that would end later is not begun."},
};
/* clang-format on */

const sow_i_key *sow_i_keys(sow_index *n)
{
    *n = (sow_index)(sizeof keys / sizeof *keys);
    return keys;
}

const sow_i_schema *sow_i_campaign_schema(void)
{
    static const sow_i_schema schema = {keys, (sow_index)(sizeof keys / sizeof *keys), "the campaign file", "a campaign file", "rounds", "`sower init` writes a campaign to start from"};
    return &schema;
}

const sow_i_key *sow_i_schema_find(const sow_i_schema *schema, const char *path)
{
    for (sow_index i = 0; i < schema->n; i++)
        if (strcmp(schema->key[i].path, path) == 0) return &schema->key[i];
    return NULL;
}

const sow_i_key *sow_i_key_find(const char *path)
{
    return sow_i_schema_find(sow_i_campaign_schema(), path);
}

const char *sow_i_key_name(const sow_i_key *key)
{
    const char *dot = strrchr(key->path, '.');
    return dot ? dot + 1 : key->path;
}

int sow_i_key_is_child(const sow_i_key *key, const char *parent)
{
    const char *name = sow_i_key_name(key);
    if (!*parent) return name == key->path;
    size_t n = strlen(parent);
    return name != key->path && (size_t)(name - key->path) == n + 1 && strncmp(key->path, parent, n) == 0;
}

sow_index sow_i_word_position(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (sow_index i = 0; list && *list; i++) {
        size_t k = strcspn(list, ",");
        if (k == n && strncmp(list, word, n) == 0) return i;
        list += k + (list[k] == ',');
    }
    return -1;
}

static char folded(char c)
{
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

sow_index sow_i_spelling_position(const char *list, const char *word)
{
    for (sow_index i = 0; list && *list; i++) {
        size_t k = 0;
        while (list[k] && list[k] != ',' && folded(list[k]) == folded(word[k]))
            k++;
        if ((list[k] == ',' || !list[k]) && !word[k]) return i;
        list += strcspn(list, ",");
        list += *list == ',';
    }
    return -1;
}

const char *sow_config_allowed(const char *key, int aliases)
{
    const sow_i_key *row = sow_i_key_find(key);
    if (!row || (row->type != SOW_KEY_ENUM && row->type != SOW_KEY_CHOICE)) return NULL;
    const char *list = aliases ? row->aliases : row->allowed;
    return list ? list : "";
}
