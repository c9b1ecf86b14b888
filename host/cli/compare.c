/* systole compare: a workload on every device, and a report of it. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advise.h"
#include "against.h"
#include "card/systole_isa.h"
#include "check.h"
#include "course/course.h"
#include "energy_run.h"
#include "fleet.h"
#include "layers.h"
#include "measure.h"
#include "number.h"
#include "options.h"
#include "progress.h"
#include "report/report.h"
#include "report/shares.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "subcommands.h"
#include "support/clock.h"
#include "text.h"
#include "verify.h"
#include "workload.h"

/* Rounds over all products of a device whose timings vary: the median then is one of
 * moments spread over the whole comparison, not of one lucky second. */
enum { Rounds = 5 };
static const double round_budget_s = 0.02, steady_limit_s = 0.01;

typedef struct compare_arguments {
  systole_common common;
  systole_against against;
  systole_workload_request workload;
  systole_course_request course;
  int has_course_options;
  const char *devices; /* NULL: all usable arrays and the CPU */
  const char *out;
  systole_energy_wish energy;
  int no_energy;
} compare_arguments;

enum {
  KeyWorkload = 2000,
  KeyDevices,
  KeyOut,
  KeySizes,
  KeyA,
  KeyB,
  KeyHidden,
  KeyBatch,
  KeyImages,
  KeySeed,
  KeyEnergy,
  KeyNoEnergy,
  KeyQuick,
  KeyPublished,
  KeyPrice,
  KeyParameters,
  KeyTokens
};

static const struct argp_option options[] = {
    {"out", KeyOut, "DIR", 0, "Folder for the report (made if needed); required", 1},
    {"devices", KeyDevices, "LIST", 0,
     "Devices, e.g. rtl:16,rtl:64,cpu (default: all usable; of more than two simulated "
     "sizes a small and a large one)",
     1},
    {"workload", KeyWorkload, "NAME", 0,
     "gemm (default), mlp, resnet50, bert-base or course", 2},
    {"seed", KeySeed, "SEED", 0, "Seed of everything random (default 1)", 2},
    {"energy", KeyEnergy, "SECONDS", 0,
     "Length of the windows of rest and of work in which the energy of each device's "
     "largest product is measured (default: short ones where CPU or GPU has a counter)",
     2},
    {"no-energy", KeyNoEnergy, NULL, 0, "Does not measure it", 2},
    {"sizes", KeySizes, "LIST", 0, "gemm: shapes, e.g. 64,128,100x200x300 (MxNxK)", 3},
    {"a", KeyA, "A.npy", 0, "gemm: one product of two files, int8 or uint8", 3},
    {"b", KeyB, "B.npy", 0, "gemm: its right operand", 3},
    {"hidden", KeyHidden, "COUNT", 0, "mlp: n of the layers 784-n-n-10 (default 512)", 4},
    {"batch", KeyBatch, "COUNT", 0, "mlp: pictures in one batch (default 64)", 4},
    {"images", KeyImages, "FILE", 0,
     "mlp: IDX image file, gzip or plain (default: digits drawn from the seed)", 4},
    {"quick", KeyQuick, NULL, 0, "course: few sizes and repeats, to try it", 5},
    {"published", KeyPublished, "FILE.csv", 0,
     "course: more published devices, each row with its source (columns as in "
     "host/report/data/devices.csv)",
     5},
    {"price", KeyPrice, "LIST", 0,
     "course: rent of devices in USD per hour, e.g. cpu=0.05,model:64=1.65", 5},
    {"parameters", KeyParameters, "COUNT", 0,
     "course: of the model whose training is costed (default 175e9)", 5},
    {"tokens", KeyTokens, "COUNT", 0, "course: that it is trained on (default 300e9)", 5},
    {0}};

static int parse_count(int64_t *out, const char *text, const char *name) {
  const int code = systole_parse_size(out, text, name);
  if (code != 0) return code;
  if (*out < 1) return systole_story(SYSTOLE_EXIT_USAGE, "%s must be at least 1", name);
  return 0;
}

static error_t parse(int key, char *text, struct argp_state *state) {
  compare_arguments *arguments = state->input;
  int code = 0;
  switch (key) {
    case ARGP_KEY_INIT:
      state->child_inputs[0] = &arguments->common;
      state->child_inputs[1] = &arguments->against;
      break;
    case KeyOut:
      arguments->out = text;
      break;
    case KeyDevices:
      arguments->devices = text;
      break;
    case KeyWorkload:
      if (strcmp(text, "gemm") != 0 && strcmp(text, "mlp") != 0 &&
          strcmp(text, "course") != 0 && !systole_layers_known(text)) {
        code = systole_story(
            SYSTOLE_EXIT_USAGE,
            "--workload is '%s'; the workloads are gemm, mlp, course, and the "
            "networks resnet50, bert-base, mobilenet-v1, mobilenet-v2, "
            "inception-v1, resnet50-299, tpu-mlp0, tpu-mlp1, tpu-lstm0, "
            "tpu-lstm1, tpu-cnn0 and tpu-cnn1",
            text);
      }
      arguments->workload.name = text;
      break;
    case KeySeed:
      code = systole_parse_u64(&arguments->workload.seed, text, "--seed");
      break;
    case KeyNoEnergy:
      arguments->no_energy = 1;
      break;
    case KeyEnergy:
      code = systole_energy_wish_parse(&arguments->energy, text);
      break;
    case KeySizes:
      arguments->workload.sizes = text;
      break;
    case KeyA:
      arguments->workload.a_path = text;
      break;
    case KeyB:
      arguments->workload.b_path = text;
      break;
    case KeyHidden:
      code = parse_count(&arguments->workload.hidden, text, "--hidden");
      break;
    case KeyBatch:
      code = parse_count(&arguments->workload.batch, text, "--batch");
      break;
    case KeyImages:
      arguments->workload.images = text;
      break;
    case KeyQuick:
      arguments->course.quick = 1;
      break;
    case KeyPublished:
      arguments->course.published = text;
      break;
    case KeyPrice:
      arguments->course.prices = text;
      break;
    case KeyParameters:
      code = systole_parse_positive(&arguments->course.parameters, text, "--parameters");
      break;
    case KeyTokens:
      code = systole_parse_positive(&arguments->course.tokens, text, "--tokens");
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  arguments->has_course_options |= key >= KeyQuick && key <= KeyTokens;
  if (code != 0) {
    arguments->common.failed = code;
    return EINVAL;
  }
  return 0;
}

static const struct argp_child children[] = {
    {&systole_common_argp, 0, NULL, 0}, {&systole_against_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Runs a workload on every device, checks every result, and writes results.json, "
        "results.csv, figures and one self-contained report.html into a folder."
        "\vExamples:\n"
        "  systole compare --out report\n"
        "  systole compare --workload mlp --hidden 256 --batch 64 --out report\n"
        "  systole compare --a A.npy --b B.npy --devices rtl:16,cpu --out report\n"
        "  systole compare --out new --baseline old/results.json --markdown summary.md\n"
        "  systole compare --workload course --out course",
    .children = children};

static int check_arguments(const compare_arguments *arguments) {
  if (arguments->no_energy && arguments->energy.window_s > 0) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--energy and --no-energy exclude each other");
  }
  const systole_workload_request *workload = &arguments->workload;
  const int mlp = strcmp(workload->name, "mlp") == 0;
  const int gemm = strcmp(workload->name, "gemm") == 0;
  if (arguments->common.device.timing_only && arguments->devices == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--no-data is for model devices; name them, e.g. --devices "
                         "model:16,model:tpu-v1");
  }
  if (arguments->common.device.timing_only &&
      (workload->a_path != NULL || workload->b_path != NULL ||
       workload->images != NULL)) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--no-data computes nothing, so files of operands have no "
                         "meaning");
  }
  const int course = strcmp(workload->name, "course") == 0;
  if (course && arguments->common.device.timing_only) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--no-data computes nothing, and the course checks every result");
  }
  if (arguments->out == NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--out DIR is missing: where shall the report go?");
  }
  if ((workload->a_path != NULL) != (workload->b_path != NULL)) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--a and --b go together; %s is missing",
                         workload->a_path == NULL ? "--a" : "--b");
  }
  if (workload->a_path != NULL && workload->sizes != NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--sizes and --a, --b exclude each other");
  }
  if (!gemm && (workload->a_path != NULL || workload->sizes != NULL)) {
    return systole_story(SYSTOLE_EXIT_USAGE,
                         "--a, --b and --sizes belong to --workload gemm");
  }
  if (!mlp && workload->images != NULL) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--images belongs to --workload mlp");
  }
  if (!course && arguments->has_course_options) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--quick, --published, --price, --parameters and --tokens belong "
        "to --workload course");
  }
  return 0;
}

/* ---- the runs ------------------------------------------------------------------- */

typedef struct run {
  systole_weights *weights; /* of devices whose timings vary */
  systole_samples samples;
} run;

/* One bar over all: MACs of simulated runs, which take nearly all of the time. */
typedef struct overall_bar {
  systole_bar bar;
  uint64_t done, total;
} overall_bar;

static int update_bar(void *user, uint64_t done, uint64_t total) {
  overall_bar *overall = user;
  (void)total;
  return systole_bar_update(&overall->bar, overall->done + done, overall->total);
}

static int check_result(systole_result *result, systole_mismatch *mismatch,
                        const systole_item *item, const void *c) {
  memset(mismatch, 0, sizeof *mismatch);
  if (item->task != NULL) {
    systole_conv_task_compare(result, mismatch, item->task, c, item->expected,
                              item->verified_by);
    return 0;
  }
  if (systole_job_is_s8(&item->job)) {
    systole_compare_s8(mismatch, c, item->expected, item->job.m, item->job.n);
  } else {
    systole_compare_s32(mismatch, c, item->expected, item->job.m, item->job.n);
  }
  result->checked = 1;
  result->mismatches = mismatch->count;
  result->checked_by = strncmp(result->device, "cpu", 3) == 0 ? item->verified_by : "cpu";
  return 0;
}

typedef struct comparison {
  const systole_workload *workload;
  systole_fleet *fleet;
  systole_result *results; /* [item][device] */
  run *runs;               /* likewise */
  overall_bar overall;
  const systole_device_options *options;
  int wrong; /* a story of a wrong result is stored */
} comparison;

/* Everything once: exact cycles of simulated devices, warm-up of the others, results
 * checked. */
static int first_round(comparison *all, size_t item_index, size_t device_index, void *c) {
  const systole_item *item = &all->workload->items[item_index];
  const systole_station *station = &all->fleet->stations[device_index];
  const size_t at = item_index * all->fleet->count + device_index;
  run *this_run = &all->runs[at];
  systole_result *result = &all->results[at];
  systole_mismatch mismatch = {0};
  int code = 0;
  snprintf(all->overall.bar.title, sizeof all->overall.bar.title, "%.20s %.40s",
           all->fleet->devices[device_index].name, item->label);
  systole_device_set_progress(station->device, update_bar, &all->overall);
  if (item->task != NULL) { /* every call packs anew, so there are no rounds to come */
    code = systole_conv_task_measure(&this_run->samples, station, item->task, c, 0,
                                     Rounds * round_budget_s);
    if (!systole_station_varies(station)) {
      all->overall.done += (uint64_t)(item->job.m * item->job.n * item->job.k);
    }
  } else if (!systole_station_varies(station)) {
    code = systole_measure_once(&this_run->samples, station, &item->job, c);
    all->overall.done += (uint64_t)(item->job.m * item->job.n * item->job.k);
  } else {
    code = systole_station_prepare(&this_run->weights, station, &item->job);
    if (code == 0) code = systole_warm_up(this_run->weights, &item->job, c);
  }
  systole_device_set_progress(station->device, NULL, NULL);
  if (code != 0) return code;
  snprintf(result->device, sizeof result->device, "%s",
           all->fleet->devices[device_index].name);
  snprintf(result->workload, sizeof result->workload, "%s", all->workload->name);
  snprintf(result->label, sizeof result->label, "%s", item->label);
  result->m = item->job.m;
  result->n = item->job.n;
  result->k = item->job.k;
  result->has_seed = all->workload->has_seed;
  result->seed = all->workload->seed;
  if (systole_device_timing_only(station->device)) {
    return systole_interrupted() ? systole_interrupted_story() : 0;
  }
  if (station->format != SYSTOLE_FORMAT_S8) {
    systole_float_mismatch wrong;
    code = systole_verify_f32(result, &wrong, station->format, &item->job, c);
    if (code != 0) return code;
    if (wrong.count > 0 && !all->wrong) {
      all->wrong = 1;
      systole_wrong_float_story(result, &wrong);
    }
    return systole_interrupted() ? systole_interrupted_story() : 0;
  }
  check_result(result, &mismatch, item, c);
  if (mismatch.count > 0 && !all->wrong) {
    all->wrong = 1;
    if (item->task != NULL) {
      systole_conv_wrong_story(result, &mismatch, item->task);
    } else {
      systole_wrong_story(result, &mismatch, &item->job);
    }
  }
  return systole_interrupted() ? systole_interrupted_story() : 0;
}

/* Cycles are exact, but the host's part of a simulated run is measured: short runs, where
 * it counts, are repeated for its median. */
static int steady_host(comparison *all, size_t item_index, size_t device_index, void *c) {
  const systole_item *item = &all->workload->items[item_index];
  const systole_station *station = &all->fleet->stations[device_index];
  run *this_run = &all->runs[item_index * all->fleet->count + device_index];
  if (item->task != NULL || this_run->samples.count == 0 ||
      this_run->samples.stats[0].wall_s > steady_limit_s ||
      station->record_path != NULL || all->options->stall_seed != 0) {
    return 0;
  }
  return systole_measure_once(&this_run->samples, station, &item->job, c);
}

static int run_all(comparison *all, void *c) {
  const size_t items = all->workload->count, devices = all->fleet->count;
  int code = 0;
  for (size_t i = 0; i < items && code == 0; i++) {
    for (size_t d = 0; d < devices && code == 0; d++) code = first_round(all, i, d, c);
  }
  for (int round = 0; round < Rounds && code == 0; round++) {
    for (size_t i = 0; i < items && code == 0; i++) {
      for (size_t d = 0; d < devices && code == 0; d++) {
        run *this_run = &all->runs[i * devices + d];
        if (this_run->weights == NULL) {
          code = steady_host(all, i, d, c);
          continue;
        }
        code =
            systole_measure_prepared(&this_run->samples, this_run->weights,
                                     &all->workload->items[i].job, c, 0, round_budget_s);
      }
    }
  }
  for (size_t i = 0; i < items && code == 0; i++) {
    for (size_t d = 0; d < devices; d++) {
      const size_t at = i * devices + d;
      const systole_job *job = &all->workload->items[i].job;
      const systole_conv_task *task = all->workload->items[i].task;
      if (task != NULL) {
        systole_conv_task_summarise(&all->results[at], &all->fleet->stations[d], task,
                                    &all->runs[at].samples);
        continue;
      }
      systole_summarise(&all->results[at], &all->fleet->stations[d], job,
                        &all->runs[at].samples);
      systole_advise_product(&all->results[at], job, all->options,
                             job->epilogue == NULL && all->workload->has_seed);
    }
  }
  return code;
}

/* Energy of each real device's largest product, where there is a source of it; a device
 * without one keeps what is known of it, and a note says why. */
static int measure_energy(comparison *all, void *c, const systole_energy_wish *wish) {
  const size_t items = all->workload->count, devices = all->fleet->count;
  int code = 0;
  for (size_t d = 0; d < devices && code == 0; d++) {
    systole_result *largest = NULL;
    const systole_job *job = NULL;
    for (size_t i = 0; i < items; i++) {
      systole_result *result = &all->results[i * devices + d];
      if (all->workload->items[i].task != NULL || result->mismatches > 0 ||
          (largest != NULL && result->stats.macs <= largest->stats.macs)) {
        continue;
      }
      largest = result;
      job = &all->workload->items[i].job;
    }
    systole_energy_of of;
    char address[SYSTOLE_ENERGY_ADDRESS], reason[256];
    if (largest == NULL ||
        !systole_energy_place(&of, address, &all->fleet->stations[d], &largest->stats,
                              reason, sizeof reason)) {
      continue;
    }
    const systole_energy_wish own =
        wish->window_s > 0 ? *wish : systole_energy_unasked(of);
    if (!(own.window_s > 0)) continue;
    code = systole_energy_run(largest, &all->fleet->stations[d], job, c, &own);
    /* What was not asked for is no reason to lose the comparison. */
    const int unasked = !(wish->window_s > 0);
    if (code == SYSTOLE_EXIT_ABSENT || (unasked && code == SYSTOLE_EXIT_DEVICE)) {
      fprintf(stderr, "systole compare: note: %s: %s\n", all->fleet->devices[d].name,
              systole_story_text());
      code = 0;
    }
  }
  return code;
}

/* A simulated device's peak follows from its clock, which a run tells. */
static void complete_devices(comparison *all) {
  for (size_t d = 0; d < all->fleet->count; d++) {
    systole_report_device *device = &all->fleet->devices[d];
    const systole_result *result = &all->results[d];
    if (device->geometry.dim == 0) continue;
    device->peak_gops = systole_report_array_peak(result);
    device->peak_kind = result->stats.clock_kind;
    device->bandwidth_gbs = systole_report_array_bandwidth(result);
    device->bandwidth_kind = result->stats.clock_kind;
  }
}

/* Devices without convolutions, and those without residuals, when the workload has some.
 */
static int fit_to_devices(systole_workload *workload, systole_fleet *fleet, int asked) {
  if (workload->items[0].task == NULL) return 0;
  for (size_t d = 0; d < fleet->count;) {
    systole_conv2d tiny = SYSTOLE_CONV2D_INIT;
    const int8_t one = 1;
    int32_t out;
    tiny.height = tiny.width = tiny.channels = tiny.out_channels = 1;
    const systole_status status =
        systole_conv2d_s8(fleet->stations[d].device, &tiny, &one, &one, &out, NULL);
    if (status == SYSTOLE_ERR_UNSUPPORTED && !asked) {
      fprintf(stderr, "systole compare: %s is left out: %s\n", fleet->devices[d].name,
              systole_last_error());
      systole_fleet_remove(fleet, d);
      continue;
    }
    if (status != SYSTOLE_OK) {
      return systole_story_of(status, "%s cannot run %s", fleet->devices[d].name,
                              workload->name);
    }
    const systole_geometry *g = &fleet->stations[d].geometry;
    if (g->dim > 0 && (g->features >> SYSTOLE_FEATURE_RESIDUAL & 1u) == 0 &&
        systole_workload_drop_residuals(workload) > 0) {
      fprintf(stderr, "systole compare: %s adds no residuals: all run without\n",
              fleet->devices[d].name);
    }
    d++;
  }
  if (fleet->count > 0) return 0;
  return systole_story(SYSTOLE_EXIT_ABSENT, "no usable device computes convolutions");
}

/* ---- what a person sees --------------------------------------------------------- */

/* Of a network: all layers of a device together. */
static void show_totals(const comparison *all) {
  char gops[SystoleText], waited[SystoleText];
  printf("\n");
  for (size_t d = 0; d < all->fleet->count; d++) {
    const double dim = all->fleet->stations[d].geometry.dim;
    double macs = 0, cycles = 0, seconds = 0, wall = 0;
    for (size_t i = 0; i < all->workload->count; i++) {
      const systole_stats *s = &all->results[i * all->fleet->count + d].stats;
      macs += (double)s->macs;
      cycles += (double)s->cycles;
      seconds += s->seconds;
      wall += s->wall_s;
    }
    char share[24] = "";
    if (cycles > 0) {
      snprintf(share, sizeof share, "%.1f %%", 100 * macs / (dim * dim * cycles));
    }
    printf("  %-22s %-12s %10s %12s %9s %20s %10s\n", d == 0 ? "all" : "",
           all->fleet->devices[d].name,
           systole_text_figure(gops, seconds > 0 ? 2e-9 * macs / seconds : 0), share, "",
           "", systole_text_seconds(waited, wall));
  }
}

static void show_table(const comparison *all) {
  char gops[SystoleText], power[SystoleText], waited[SystoleText], note[96];
  printf("%s%s%s\n\n", systole_text_bold(), all->workload->title, systole_text_plain());
  printf("%s  %-22s %-12s %10s %12s %9s %20s %10s%s\n", systole_text_dim(), "product",
         "device", "GOP/s", "utilisation", "W", "most time beside work", "waited",
         systole_text_plain());
  for (size_t i = 0; i < all->workload->count; i++) {
    for (size_t d = 0; d < all->fleet->count; d++) {
      const systole_result *r = &all->results[i * all->fleet->count + d];
      const systole_stats *stats = &r->stats;
      char share[24] = "";
      note[0] = '\0';
      if (stats->has_cycles) {
        snprintf(share, sizeof share, "%.1f %%", 100 * stats->utilisation);
        int worst = 1;
        for (int part = 2; part < SystoleLedgerParts; part++) {
          if (systole_ledger_part(&stats->ledger, part) >
              systole_ledger_part(&stats->ledger, worst)) {
            worst = part;
          }
        }
        if (stats->cycles > 0) {
          snprintf(note, sizeof note, "%s %.0f %%", systole_ledger_name(worst),
                   100.0 * (double)systole_ledger_part(&stats->ledger, worst) /
                       (double)stats->cycles);
        }
      } else if (systole_result_percent_of_peak(r) >= 0) {
        snprintf(share, sizeof share, "%.0f %% peak", systole_result_percent_of_peak(r));
      }
      power[0] = '\0';
      if (stats->power_w.kind != SYSTOLE_KIND_UNKNOWN) {
        systole_text_figure(power, stats->power_w.nominal);
      }
      printf("  %-22s %-12s %10s %12s %9s %20s %10s%s%s%s\n", d == 0 ? r->label : "",
             r->device, systole_text_figure(gops, stats->gops), share, power, note,
             systole_text_seconds(waited, stats->wall_s),
             r->mismatches > 0 ? systole_text_bad() : "",
             r->mismatches > 0 ? "  WRONG" : "", systole_text_plain());
    }
  }
  if (all->workload->items[0].task != NULL) show_totals(all);
}

/* What holds each simulated run back, a line each. */
static void show_reasons(const comparison *all) {
  int shown = 0;
  for (size_t i = 0; i < all->workload->count * all->fleet->count; i++) {
    const systole_result *r = &all->results[i];
    if (r->explanation.limit[0] == '\0') continue;
    if (shown++ == 0) printf("\n  why, and what would change it (forecast)\n");
    printf("  %s%-22s %-10s%s %s\n", systole_text_dim(), r->label, r->device,
           systole_text_plain(), r->explanation.sentence);
  }
}

/* What the workload's tables found, a sentence each. */
static void show_findings(const systole_tables *tables) {
  int shown = 0;
  for (size_t i = 0; i < systole_tables_count(tables); i++) {
    const systole_table *table = systole_tables_at(tables, i);
    if (systole_table_found(table)[0] == '\0') continue;
    printf("%s  %s%s:%s %s\n", shown++ == 0 ? "\n" : "", systole_text_dim(),
           systole_table_title(table), systole_text_plain(), systole_table_found(table));
  }
}

static int show_json(const comparison *all, const systole_report *report, const char *out,
                     const char *warning) {
  cJSON *object = cJSON_CreateObject();
  int good = object != NULL &&
             cJSON_AddStringToObject(object, "workload", all->workload->name) &&
             cJSON_AddStringToObject(object, "out", out) &&
             (warning == NULL || cJSON_AddStringToObject(object, "warning", warning));
  cJSON *array = good ? cJSON_AddArrayToObject(object, "results") : NULL;
  good = good && array != NULL;
  for (size_t i = 0; good && i < all->workload->count * all->fleet->count; i++) {
    cJSON *entry = systole_result_json(&all->results[i]);
    good = entry != NULL && cJSON_AddItemToArray(array, entry);
  }
  if (good && report->comparison != NULL) {
    cJSON *changes = systole_comparison_json(report->comparison);
    good = changes != NULL && cJSON_AddItemToObject(object, "comparison", changes);
  }
  const int code = systole_show_json(good ? object : NULL);
  cJSON_Delete(object);
  return code;
}

/* Other work on the machine makes every measured figure worse, most of all those of
 * several threads, which wait for each other. */
typedef struct span {
  double wall_s, own_s, busy_s;
} span;

static span now(void) {
  const span out = {systole_wall_seconds(), systole_cpu_seconds(),
                    systole_machine_busy_s()};
  return out;
}

static void judge_load(char *note, size_t size, span from) {
  const span to = now();
  const double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
  note[0] = '\0';
  if (from.busy_s < 0 || to.busy_s < 0 || !(cores > 0)) return;
  const double others = (to.busy_s - from.busy_s) - (to.own_s - from.own_s);
  const double share = others / (cores * (to.wall_s - from.wall_s));
  /* The clock of the kernel's account ticks in hundredths of a second: short spans say
   * little. */
  if (share > 0.1 && to.wall_s - from.wall_s > 0.5) {
    snprintf(
        note, size,
        "Other programs took %.0f %% of this machine's CPU time during the runs: figures "
        "measured on it are too low.",
        100 * share);
  }
}

static char *join_arguments(int argc, char **argv) {
  size_t length = sizeof "systole";
  for (int i = 0; i < argc; i++) length += strlen(argv[i]) + 1;
  char *text = malloc(length);
  if (text == NULL) return NULL;
  strcpy(text, "systole");
  for (int i = 0; i < argc; i++) {
    strcat(text, " ");
    strcat(text, argv[i]);
  }
  return text;
}

static size_t largest_result(const systole_workload *workload) {
  size_t largest = 0;
  for (size_t i = 0; i < workload->count; i++) {
    const size_t outputs =
        (size_t)workload->items[i].job.m * (size_t)workload->items[i].job.n;
    if (outputs > largest) largest = outputs;
  }
  return largest * sizeof(int32_t);
}

int systole_main_compare(int argc, char **argv) {
  compare_arguments arguments = {
      .against = SYSTOLE_AGAINST_INIT,
      .workload = {.name = "gemm", .hidden = 512, .batch = 64, .seed = 1},
      .course = {.parameters = 175e9, .tokens = 300e9}};
  systole_common_init(&arguments.common);
  arguments.against.failed = &arguments.common.failed;
  char *command = join_arguments(argc, argv);
  int code = systole_parse(&parser, "compare", argc, argv, &arguments, &arguments.common);
  if (code == 0) code = check_arguments(&arguments);
  if (code != 0) {
    free(command);
    return code;
  }

  const double started = systole_wall_seconds();
  const systole_device_options plain = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_workload workload = {0};
  systole_folder *folder = NULL;
  systole_device *reference = NULL;
  systole_fleet *devices = calloc(1, sizeof *devices);
  comparison all = {
      .workload = &workload, .fleet = devices, .options = &arguments.common.device};
  const char *warning = NULL;
  systole_course *course = NULL;
  systole_tables *tables = systole_tables_new();
  char chosen[512];
  char note[sizeof((systole_report *)0)->note] = "";
  size_t runs = 0;
  void *c = NULL;
  if (devices == NULL || command == NULL || tables == NULL) {
    code = systole_story_errno(ENOMEM, "cannot compare");
    goto done;
  }

  const int no_data = arguments.common.device.timing_only;
  arguments.workload.no_data = no_data;

  /* What can be refused is refused before the long work begins. */
  if (strcmp(arguments.workload.name, "course") == 0) {
    arguments.course.seed = arguments.workload.seed;
    if ((code = systole_course_open(&course, &arguments.course)) != 0) goto done;
    arguments.workload.sizes = systole_course_sizes(course);
    if (arguments.devices == NULL) {
      if ((code = systole_course_devices(chosen, sizeof chosen)) != 0) goto done;
      arguments.devices = chosen;
    }
  }
  if ((code = systole_workload_open(&workload, &arguments.workload)) != 0) goto done;
  if (course != NULL) {
    snprintf(workload.title, sizeof workload.title,
             "the questions of a course on machine-learning hardware");
  }
  if ((code = systole_fleet_open(devices, arguments.devices, &arguments.common.device)) !=
      0)
    goto done;
  if ((code = fit_to_devices(&workload, devices, arguments.devices != NULL)) != 0) {
    goto done;
  }
  if ((code = systole_against_open(&arguments.against, workload.name)) != 0) goto done;
  if (course != NULL && (code = systole_course_fits(course, devices)) != 0) goto done;
  if ((code = systole_folder_open(&folder, arguments.out)) != 0) goto done;
  systole_bar_start(&all.overall.bar, "reference on the CPU");
  if (!no_data) {
    if ((code = systole_open(&reference, "cpu", &plain)) != 0) goto done;
    if ((code = systole_workload_solve(&workload, reference)) != 0) goto done;
  }
  for (size_t d = 0; d < devices->count && !no_data; d++) {
    if (devices->stations[d].format == SYSTOLE_FORMAT_S8) continue;
    if ((code = systole_workload_floats(&workload)) != 0) goto done;
  }

  runs = workload.count * devices->count;
  all.results = calloc(runs + 1, sizeof *all.results);
  all.runs = calloc(runs + 1, sizeof *all.runs);
  c = calloc(1, no_data ? 1 : largest_result(&workload) + 1);
  if (all.results == NULL || all.runs == NULL || c == NULL) {
    code = systole_story_errno(ENOMEM, "cannot compare");
    goto done;
  }
  for (size_t i = 0; i < workload.count; i++) {
    const systole_job *job = &workload.items[i].job;
    for (size_t d = 0; d < devices->count; d++) {
      if (devices->stations[d].geometry.dim > 0) {
        all.overall.total += (uint64_t)(job->m * job->n * job->k);
      }
    }
  }
  const span before = now();
  code = run_all(&all, c);
  systole_bar_end(&all.overall.bar);
  if (code == 0 && course != NULL) {
    systole_course_memory(devices);
    code = systole_course_measure(course, &all.wrong, &workload, devices,
                                  &arguments.common.device, reference);
  }
  judge_load(note, sizeof note, before);
  if (code == 0 && !arguments.no_energy)
    code = measure_energy(&all, c, &arguments.energy);
  if (code != 0) goto done;
  complete_devices(&all);

  systole_report report = {.version = SYSTOLE_VERSION,
                           .command = command,
                           .workload = workload.name,
                           .title = workload.title,
                           .devices = devices->devices,
                           .device_count = devices->count,
                           .results = all.results,
                           .result_count = runs,
                           .wall_s = systole_wall_seconds() - started,
                           .pictures = workload.pictures,
                           .picture_count = workload.picture_count,
                           .picture_side = workload.picture_side};
  systole_shares_table(tables, &report);
  if (course != NULL) systole_course_tables(course, tables, &report);
  if ((code = systole_tables_story(tables)) != 0) goto done;
  report.tables = tables;
  systole_machine_describe(&report.machine);
  systole_report_date(&report);
  memcpy(report.note, note, sizeof note);
  if ((code = systole_against_judge(&arguments.against, &report)) != 0) goto done;
  if ((code = systole_report_write(&report, folder, &warning)) != 0) goto done;
  if (systole_interrupted()) {
    code = systole_interrupted_story();
    goto done;
  }
  code = systole_folder_commit(folder);
  folder = NULL;
  if (code == 0) code = systole_against_write(&arguments.against, &report);
  if (code != 0) goto done;

  if (warning != NULL) fprintf(stderr, "systole compare: warning: %s\n", warning);
  if (report.note[0] != '\0') fprintf(stderr, "systole compare: note: %s\n", report.note);
  if (devices->note[0] != '\0')
    fprintf(stderr, "systole compare: note: %s\n", devices->note);
  if (arguments.common.json) {
    code = show_json(&all, &report, arguments.out, warning);
  } else {
    show_table(&all);
    show_reasons(&all);
    show_findings(tables);
    systole_against_show(&arguments.against);
    char waited[SystoleText];
    printf("\n  %zu runs in %s; open %s/report.html\n", runs,
           systole_text_seconds(waited, systole_wall_seconds() - started), arguments.out);
  }
  if (code == 0 && all.wrong) {
    code = SYSTOLE_EXIT_WRONG;
  } else if (code == 0) {
    code = systole_against_code(&arguments.against);
  }

done:
  systole_bar_end(&all.overall.bar);
  for (size_t i = 0; all.runs != NULL && i < runs; i++) {
    systole_weights_free(all.runs[i].weights);
    systole_samples_free(&all.runs[i].samples);
  }
  free(c);
  free(all.runs);
  free(all.results);
  systole_device_close(reference);
  systole_folder_discard(folder);
  if (devices != NULL) code = systole_fleet_finish(devices, code, arguments.common.json);
  free(devices);
  systole_against_close(&arguments.against);
  systole_workload_free(&workload);
  systole_course_close(course);
  systole_tables_free(tables);
  free(command);
  return code;
}
