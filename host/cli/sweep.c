/* systole sweep: a workload on many machines at once, on the fast model without data, and
 * the best of them under a limit. */
#include "sweep.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../sim/memory/axi_memory.h"
#include "layers.h"
#include "number.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "report/folder.h"
#include "show.h"
#include "signals.h"
#include "story.h"
#include "subcommands.h"
#include "systole/energy.h"
#include "workload.h"

enum { MaxValues = 64, MaxThreads = 256 };

/* Values that one parameter takes. */
typedef struct values {
  double numbers[MaxValues];
  char texts[MaxValues][SystoleSweepMemory]; /* memories */
  size_t count;
} values;

typedef struct sweep_arguments {
  systole_common common;
  systole_workload_request workload;
  values dims, clocks, ports, ubs, accs;
  systole_sweep_limits limits;
  const char *best_by, *out;
} sweep_arguments;

enum {
  KeyDims = 2000,
  KeyClock,
  KeyPort,
  KeyUb,
  KeyAcc,
  KeyWorkload,
  KeySizes,
  KeyHidden,
  KeyBatch,
  KeyMaxPower,
  KeyMaxMs,
  KeyMaxMj,
  KeyMaxMacs,
  KeyMaxDsp,
  KeyBest,
  KeyOut,
  KeyThreads,
  KeyTechnology,
  KeyJson
};

static const struct argp_option options[] = {
    {"dims", KeyDims, "LIST", 0,
     "Array sizes: powers of two from 4 to 1024, e.g. 8..256 or 16,64 (default 8..256)",
     1},
    {"clock", KeyClock, "LIST", 0, "Clocks in MHz, or with a unit, e.g. 300,1.2G (300)",
     1},
    {"port", KeyPort, "LIST", 0,
     "Memory behind the ports: GB/s of each, presets, or presets with changes, e.g. "
     "4.8,19.2,hbm2,ideal+gmem1=34GB/s (default: ideal)",
     1},
    {"ub", KeyUb, "LIST", 0, "Rows of the unified buffer (default: those of the RTL)", 1},
    {"acc", KeyAcc, "LIST", 0, "Rows of the accumulators (default: those of the RTL)", 1},
    {"workload", KeyWorkload, "NAME", 0,
     "gemm (default), mlp, a network (resnet50, bert-base, mobilenet-v1 ...) or a table "
     "of layers, FILE.csv",
     2},
    {"sizes", KeySizes, "LIST", 0, "gemm: shapes, e.g. 1024 or 100x200x300 (MxNxK)", 2},
    {"hidden", KeyHidden, "COUNT", 0, "mlp: n of the layers 784-n-n-10 (default 512)", 2},
    {"batch", KeyBatch, "COUNT", 0, "mlp: pictures in one batch (default 64)", 2},
    {"max-power", KeyMaxPower, "WATTS", 0, "Limit: average power, nominal", 3},
    {"max-ms", KeyMaxMs, "MS", 0, "Limit: milliseconds for the workload", 3},
    {"max-mj", KeyMaxMj, "MJ", 0, "Limit: millijoules for the workload, nominal", 3},
    {"max-macs", KeyMaxMacs, "COUNT", 0, "Limit: MACs of the array", 3},
    {"max-dsp", KeyMaxDsp, "COUNT", 0, "Limit: DSP48E2 of the plain array on an FPGA", 3},
    {"best", KeyBest, "BY", 0, "What is best: time (default), energy, or their product",
     3},
    {"out", KeyOut, "DIR", 0, "Folder for sweep.csv, sweep.json and the figure", 4},
    {"threads", KeyThreads, "COUNT", 0, "Threads (default: all)", 10},
    {"technology", KeyTechnology, "NAME", 0,
     "Chip that energy is modelled for: 45nm (default), 28nm, 7nm or fpga-16nm", 10},
    {"json", KeyJson, NULL, 0, "One JSON object on standard output, nothing else there",
     20},
    {0}};

/* ---- arguments -----------------------------------------------------------------------
 */

static int add_number(values *to, double value, const char *option) {
  for (size_t i = 0; i < to->count; i++) {
    if (!(to->numbers[i] < value) && !(to->numbers[i] > value)) return 0;
  }
  if (to->count == MaxValues) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s has more than %d values", option,
                         (int)MaxValues);
  }
  to->numbers[to->count++] = value;
  return 0;
}

static int is_dim(uint64_t value) {
  return value >= 4 && value <= 1024 && (value & (value - 1)) == 0;
}

static int add_dims(values *to, const char *part) {
  char low[32], *dots;
  uint64_t from = 0, until = 0;
  snprintf(low, sizeof low, "%s", part);
  dots = strstr(low, "..");
  if (dots != NULL) *dots = '\0';
  int code = systole_parse_u64(&from, low, "--dims");
  if (code == 0) {
    code = systole_parse_u64(&until, dots != NULL ? dots + 2 : low, "--dims");
  }
  if (code != 0) return code;
  if (!is_dim(from) || !is_dim(until) || from > until) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--dims has '%.40s'; sizes are powers of two from 4 to 1024, and "
        "a range goes up, e.g. 8..256",
        part);
  }
  for (; from <= until && code == 0; from *= 2) {
    code = add_number(to, (double)from, "--dims");
  }
  return code;
}

static int add_clock(values *to, const char *part) {
  static const struct {
    const char *unit;
    double mhz;
  } units[] = {{"", 1}, {"k", 1e-3}, {"M", 1}, {"G", 1e3}, {"MHz", 1}, {"GHz", 1e3}};
  char *end = NULL;
  const double value = strtod(part, &end);
  for (size_t i = 0; i < sizeof units / sizeof units[0] && end != part; i++) {
    const double mhz = value * units[i].mhz;
    if (strcmp(units[i].unit, end) == 0 && mhz >= 0.001 && mhz <= 2000) {
      return add_number(to, mhz, "--clock");
    }
  }
  return systole_story(
      SYSTOLE_EXIT_USAGE,
      "--clock has '%.40s'; clocks are 0.001 to 2000 MHz, e.g. 300, 940M "
      "or 1.2G",
      part);
}

static int add_port(values *to, const char *part) {
  systole_axi_timing ports[2];
  char *end = NULL;
  char memory[SystoleSweepMemory];
  const double rate = strtod(part, &end);
  const int number = end != part && (*end == '\0' || strcmp(end, "GB/s") == 0);
  const int length = number ? snprintf(memory, sizeof memory,
                                       "ideal+gmem0=%gGB/s+gmem1=%gGB/s", rate, rate)
                            : snprintf(memory, sizeof memory, "%s", part);
  if (length < 0 || (size_t)length >= sizeof memory ||
      systole_axi_ports(ports, memory, 64, 300) != 0) {
    return systole_story(
        SYSTOLE_EXIT_USAGE,
        "--port has '%.60s'; it takes GB/s (0.001 to 10000), ideal, ddr4, "
        "hbm2, or a preset with changes, e.g. ideal+gmem1=34GB/s",
        part);
  }
  if (to->count == MaxValues) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--port has more than %d values",
                         (int)MaxValues);
  }
  to->numbers[to->count] = number ? rate : 0;
  snprintf(to->texts[to->count++], sizeof to->texts[0], "%s", memory);
  return 0;
}

static int add_rows(values *to, const char *part, const char *option, uint64_t least) {
  uint64_t rows = 0;
  const int code = systole_parse_u64(&rows, part, option);
  if (code != 0) return code;
  if (rows < least || rows > 1u << 24 || (least == 4 && rows % 2 != 0)) {
    return systole_story(SYSTOLE_EXIT_USAGE, "%s has %s; it is %s%" PRIu64 " to 16777216",
                         option, part, least == 4 ? "even, " : "", least);
  }
  return add_number(to, (double)rows, option);
}

static int parse_list(values *to, const char *text, int key) {
  char *copy = strdup(text), *rest = NULL;
  int code = copy != NULL ? 0 : systole_story_errno(ENOMEM, "cannot read the options");
  to->count = 0;
  for (char *part = code == 0 ? strtok_r(copy, ", ", &rest) : NULL;
       part != NULL && code == 0; part = strtok_r(NULL, ", ", &rest)) {
    code = key == KeyDims    ? add_dims(to, part)
           : key == KeyClock ? add_clock(to, part)
           : key == KeyPort  ? add_port(to, part)
           : key == KeyUb    ? add_rows(to, part, "--ub", 16)
                             : add_rows(to, part, "--acc", 4);
  }
  free(copy);
  if (code == 0 && to->count == 0) {
    code = systole_story(SYSTOLE_EXIT_USAGE, "a list of values is empty");
  }
  return code;
}

static int parse_workload(systole_workload_request *out, const char *text) {
  const size_t length = strlen(text);
  out->name = text;
  if (strcmp(text, "gemm") == 0 || strcmp(text, "mlp") == 0 ||
      systole_layers_known(text) ||
      (length > 4 && strcmp(text + length - 4, ".csv") == 0)) {
    return 0;
  }
  return systole_story(
      SYSTOLE_EXIT_USAGE,
      "--workload is '%.60s'; it is gemm, mlp, a network (resnet50, "
      "bert-base, mobilenet-v1, mobilenet-v2, inception-v1, resnet50-299, "
      "tpu-mlp0, ...) or a table of layers, FILE.csv",
      text);
}

static error_t parse(int key, char *text, struct argp_state *state) {
  sweep_arguments *a = state->input;
  uint64_t value = 0;
  int code = 0;
  switch (key) {
    case KeyDims:
      code = parse_list(&a->dims, text, key);
      break;
    case KeyClock:
      code = parse_list(&a->clocks, text, key);
      break;
    case KeyPort:
      code = parse_list(&a->ports, text, key);
      break;
    case KeyUb:
      code = parse_list(&a->ubs, text, key);
      break;
    case KeyAcc:
      code = parse_list(&a->accs, text, key);
      break;
    case KeyWorkload:
      code = parse_workload(&a->workload, text);
      break;
    case KeySizes:
      a->workload.sizes = text;
      break;
    case KeyHidden:
      code = systole_parse_size(&a->workload.hidden, text, "--hidden");
      break;
    case KeyBatch:
      code = systole_parse_size(&a->workload.batch, text, "--batch");
      break;
    case KeyMaxPower:
      code = systole_parse_positive(&a->limits.power_w, text, "--max-power");
      break;
    case KeyMaxMs:
      code = systole_parse_positive(&a->limits.ms, text, "--max-ms");
      break;
    case KeyMaxMj:
      code = systole_parse_positive(&a->limits.mj, text, "--max-mj");
      break;
    case KeyMaxMacs:
      code = systole_parse_u64(&a->limits.macs, text, "--max-macs");
      if (code == 0 && a->limits.macs == 0) {
        code = systole_story(SYSTOLE_EXIT_USAGE, "--max-macs is 0; no array has none");
      }
      break;
    case KeyMaxDsp:
      code = systole_parse_u64(&a->limits.dsp, text, "--max-dsp");
      if (code == 0 && a->limits.dsp == 0) {
        code = systole_story(SYSTOLE_EXIT_USAGE, "--max-dsp is 0; no array has none");
      }
      break;
    case KeyBest:
      if (strcmp(text, "time") != 0 && strcmp(text, "energy") != 0 &&
          strcmp(text, "product") != 0) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--best is '%.40s'; it is time, energy or product", text);
      }
      a->best_by = text;
      break;
    case KeyOut:
      a->out = text;
      break;
    case KeyThreads:
      code = systole_parse_u64(&value, text, "--threads");
      if (code == 0 && (value < 1 || value > MaxThreads)) {
        code = systole_story(SYSTOLE_EXIT_USAGE, "--threads is %s; 1 to %d make sense",
                             text, (int)MaxThreads);
      }
      a->common.device.threads = (int)value;
      break;
    case KeyTechnology:
      if (systole_technology_title(text) == NULL) {
        code = systole_story(SYSTOLE_EXIT_USAGE,
                             "--technology is '%s'; the technologies are 45nm, 28nm, 7nm "
                             "and fpga-16nm",
                             text);
      }
      a->common.device.technology = text;
      break;
    case KeyJson:
      a->common.json = 1;
      break;
    default:
      return ARGP_ERR_UNKNOWN;
  }
  if (code != 0) {
    a->common.failed = code;
    return EINVAL;
  }
  return 0;
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc =
        "Runs a workload on every combination of array sizes, clocks, memories and "
        "buffers "
        "- cycles without data, exact by the model, on all cores - and shows cycles, "
        "utilisation and energy of each, and the best one within the limits. Energy is "
        "that of the activity model (docs/energy.md), with bounds."
        "\vExamples:\n"
        "  systole sweep --workload resnet50\n"
        "  systole sweep --dims 8..256 --clock 200,300 --port 4.8,19.2,hbm2 --workload "
        "mlp "
        "--out sweep\n"
        "  systole sweep --workload bert-base --max-power 5 --best energy --json"};

static int check_arguments(const sweep_arguments *a) {
  const systole_workload_request *w = &a->workload;
  if (w->sizes != NULL && strcmp(w->name, "gemm") != 0) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--sizes belongs to --workload gemm");
  }
  if (w->hidden < 1 || w->batch < 1) {
    return systole_story(SYSTOLE_EXIT_USAGE, "--hidden and --batch must be at least 1");
  }
  return 0;
}

/* ---- designs -------------------------------------------------------------------------
 */

static int make_designs(systole_sweep *out, const sweep_arguments *a) {
  const values *v[] = {&a->dims, &a->clocks, &a->ports, &a->ubs, &a->accs};
  size_t count = 1;
  for (size_t i = 0; i < 5; i++) {
    count *= v[i]->count;
    if (count > SystoleSweepDesigns) {
      return systole_story(SYSTOLE_EXIT_USAGE,
                           "these are more than %d designs; take fewer values",
                           (int)SystoleSweepDesigns);
    }
  }
  out->designs = calloc(count, sizeof *out->designs);
  if (out->designs == NULL) return systole_story_errno(ENOMEM, "cannot hold the designs");
  out->count = count;
  for (size_t i = 0; i < count; i++) {
    systole_design *d = &out->designs[i];
    size_t at[5], rest = i;
    for (size_t p = 5; p-- > 0; rest /= v[p]->count) at[p] = rest % v[p]->count;
    d->dim = (int)a->dims.numbers[at[0]];
    d->clock_mhz = a->clocks.numbers[at[1]];
    snprintf(d->memory, sizeof d->memory, "%s", a->ports.texts[at[2]]);
    if (a->ports.numbers[at[2]] > 0) {
      snprintf(d->port, sizeof d->port, "%g GB/s", a->ports.numbers[at[2]]);
    } else {
      snprintf(d->port, sizeof d->port, "%.31s", d->memory);
    }
    d->ub_rows = (uint32_t)a->ubs.numbers[at[3]];
    d->acc_rows = (uint32_t)a->accs.numbers[at[4]];
  }
  return 0;
}

/* ---- runs ----------------------------------------------------------------------------
 */

typedef struct pool {
  const systole_workload *workload;
  const char *technology;
  systole_design *designs;
  size_t count;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  size_t next, finished, running; /* running: threads */
  int stop;                       /* 1: nothing more is begun */
} pool;

static int stop_asked(void *user, uint64_t done, uint64_t total) {
  (void)user;
  (void)done;
  (void)total;
  return systole_interrupted();
}

static systole_status run_item(systole_stats *stats, systole_device *device,
                               const systole_item *item) {
  if (item->task != NULL) {
    return systole_conv2d_s8(device, &item->task->conv, NULL, NULL, NULL, stats);
  }
  const systole_job *j = &item->job;
  const int64_t lda = j->k > 0 ? j->k : 1, ldb = j->n > 0 ? j->n : 1;
  systole_weights *weights = NULL;
  systole_status status =
      systole_weights_prepare(&weights, device, j->n, j->k, NULL, ldb, j->epilogue);
  if (status == SYSTOLE_OK) {
    status = systole_gemm_s8_prepared(weights, j->m, NULL, lda, NULL, ldb, stats);
  }
  systole_weights_free(weights);
  return status;
}

static void add_ledger(systole_ledger *to, const systole_ledger *l) {
  to->active += l->active;
  to->start += l->start;
  to->drain += l->drain;
  to->output_stall += l->output_stall;
  to->input_stall += l->input_stall;
  to->weight_stall += l->weight_stall;
  to->weight_shift += l->weight_shift;
  to->other += l->other;
}

static void add_stats(systole_design *d, const systole_stats *s) {
  d->macs += s->macs;
  d->cycles += s->cycles;
  d->seconds += s->seconds;
  add_ledger(&d->ledger, &s->ledger);
  if (s->energy_j.kind == SYSTOLE_KIND_UNKNOWN) return;
  d->energy_j.kind = s->energy_j.kind;
  d->energy_j.low += s->energy_j.low;
  d->energy_j.nominal += s->energy_j.nominal;
  d->energy_j.high += s->energy_j.high;
}

static systole_status run_design(systole_design *d, const pool *p) {
  systole_device_options device_options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_device *device = NULL;
  char name[96];
  int used = snprintf(name, sizeof name, "model:%d", d->dim);
  if (d->ub_rows > 0) {
    used += snprintf(name + used, sizeof name - (size_t)used, ",ub=%u", d->ub_rows);
  }
  if (d->acc_rows > 0) {
    snprintf(name + used, sizeof name - (size_t)used, ",acc=%u", d->acc_rows);
  }
  device_options.timing_only = 1;
  device_options.memory = d->memory;
  device_options.clock_mhz = d->clock_mhz;
  device_options.technology = p->technology;
  systole_status status = systole_device_open(&device, name, &device_options);
  if (status == SYSTOLE_OK) status = systole_device_geometry(device, &d->geometry);
  if (status == SYSTOLE_OK) systole_device_set_progress(device, stop_asked, NULL);
  for (size_t i = 0; i < p->workload->count && status == SYSTOLE_OK; i++) {
    systole_stats stats;
    status = systole_interrupted() ? SYSTOLE_ERR_INTERRUPTED
                                   : run_item(&stats, device, &p->workload->items[i]);
    if (status == SYSTOLE_OK) add_stats(d, &stats);
  }
  systole_device_close(device);
  if (status != SYSTOLE_OK) {
    if (status != SYSTOLE_ERR_INTERRUPTED) {
      snprintf(d->why, sizeof d->why, "%s", systole_last_error());
    }
    return status;
  }
  const double dim = d->dim;
  if (d->cycles > 0) d->utilisation = (double)d->macs / (dim * dim * (double)d->cycles);
  d->power_w = d->energy_j;
  if (d->seconds > 0) {
    d->power_w.low /= d->seconds;
    d->power_w.nominal /= d->seconds;
    d->power_w.high /= d->seconds;
  }
  d->done = 1;
  return SYSTOLE_OK;
}

/* A design that is not possible is told; what fails for want of memory ends the sweep. */
static int ends_all(systole_status status) {
  return status != SYSTOLE_OK && status != SYSTOLE_ERR_UNSUPPORTED &&
         status != SYSTOLE_ERR_ARGUMENT && status != SYSTOLE_ERR_DEVICE_MEMORY;
}

static void *work(void *user) {
  pool *p = user;
  (void)pthread_mutex_lock(&p->lock);
  while (!p->stop && p->next < p->count) {
    systole_design *d = &p->designs[p->next++];
    (void)pthread_mutex_unlock(&p->lock);
    const systole_status status = run_design(d, p);
    (void)pthread_mutex_lock(&p->lock);
    p->finished++;
    if (ends_all(status)) p->stop = 1;
    (void)pthread_cond_signal(&p->changed);
  }
  p->running--;
  (void)pthread_cond_signal(&p->changed);
  (void)pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* Waits for all threads, and draws the bar. */
static void watch(pool *p, uint64_t macs) {
  systole_bar bar;
  systole_bar_start(&bar, "sweep");
  (void)pthread_mutex_lock(&p->lock);
  while (p->running > 0) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
      until.tv_sec++;
      until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&p->changed, &p->lock, &until);
    const uint64_t done = p->finished * macs, total = p->count * macs;
    if (systole_bar_update(&bar, done, total)) p->stop = 1;
  }
  (void)pthread_mutex_unlock(&p->lock);
  systole_bar_end(&bar);
}

static uint64_t macs_of(const systole_workload *workload) {
  uint64_t macs = 0;
  for (size_t i = 0; i < workload->count; i++) {
    const systole_job *j = &workload->items[i].job;
    macs += (uint64_t)j->m * (uint64_t)j->n * (uint64_t)j->k;
  }
  return macs > 0 ? macs : 1;
}

static int run_all(systole_sweep *sweep, const systole_workload *workload, int threads) {
  pool p = {.workload = workload,
            .technology = sweep->technology,
            .designs = sweep->designs,
            .count = sweep->count};
  pthread_t ids[MaxThreads];
  int started = 0;
  if ((size_t)threads > sweep->count) threads = (int)sweep->count;
  if (threads > MaxThreads) threads = MaxThreads;
  (void)pthread_mutex_init(&p.lock, NULL);
  (void)pthread_cond_init(&p.changed, NULL);
  (void)pthread_mutex_lock(&p.lock);
  while (started < threads && pthread_create(&ids[started], NULL, work, &p) == 0) {
    started++;
  }
  p.running = (size_t)started;
  (void)pthread_mutex_unlock(&p.lock);
  watch(&p, macs_of(workload));
  for (int i = 0; i < started; i++) (void)pthread_join(ids[i], NULL);
  (void)pthread_cond_destroy(&p.changed);
  (void)pthread_mutex_destroy(&p.lock);
  if (started == 0) return systole_story_errno(EAGAIN, "cannot start a thread");
  if (systole_interrupted()) return systole_interrupted_story();
  if (!p.stop) return 0;
  for (size_t i = 0; i < sweep->count; i++) {
    if (sweep->designs[i].why[0] == '\0') continue;
    return systole_story(SYSTOLE_EXIT_EXHAUSTED, "the design of %d x %d failed: %s",
                         sweep->designs[i].dim, sweep->designs[i].dim,
                         sweep->designs[i].why);
  }
  return systole_story(SYSTOLE_EXIT_EXHAUSTED, "the sweep could not be finished");
}

/* ---- the best ------------------------------------------------------------------------
 */

uint64_t systole_design_dsps(const systole_design *d) {
  return (uint64_t)d->dim * (uint64_t)d->dim + 3 * (uint64_t)d->dim;
}

double systole_design_gops(const systole_design *d) {
  return d->seconds > 0 ? 2e-9 * (double)d->macs / d->seconds : 0;
}

static int is_within(const systole_design *d, const systole_sweep_limits *l) {
  const uint64_t macs = (uint64_t)d->dim * (uint64_t)d->dim;
  return d->done && (!(l->power_w > 0) || d->power_w.nominal <= l->power_w) &&
         (!(l->ms > 0) || 1e3 * d->seconds <= l->ms) &&
         (!(l->mj > 0) || 1e3 * d->energy_j.nominal <= l->mj) &&
         (l->macs == 0 || macs <= l->macs) &&
         (l->dsp == 0 || systole_design_dsps(d) <= l->dsp);
}

static double cost(const systole_design *d, const char *by) {
  if (strcmp(by, "energy") == 0) return d->energy_j.nominal;
  if (strcmp(by, "product") == 0) return d->energy_j.nominal * d->seconds;
  return d->seconds;
}

static void choose(systole_sweep *sweep) {
  for (size_t i = 0; i < sweep->count; i++) {
    systole_design *d = &sweep->designs[i];
    d->within = is_within(d, &sweep->limits);
    if (!d->within) continue;
    /* Of equals the smaller array, which comes first. */
    if (sweep->best == NULL ||
        cost(d, sweep->best_by) < cost(sweep->best, sweep->best_by)) {
      sweep->best = d;
    }
  }
}

/* ---- files ---------------------------------------------------------------------------
 */

static int write_csv(const systole_sweep *sweep, const char *place) {
  char *path = NULL;
  systole_output *output = NULL;
  if (asprintf(&path, "%s/sweep.csv", place) < 0) {
    return systole_story_errno(ENOMEM, "cannot write the sweep");
  }
  int code = systole_output_open(&output, path);
  if (code == 0) {
    systole_sweep_csv(systole_output_file(output), sweep);
    code = systole_output_commit(output);
  }
  free(path);
  return code;
}

static int write_json(const cJSON *object, const char *place) {
  char *path = NULL;
  char *text = cJSON_Print(object);
  int code = 0;
  if (text == NULL || asprintf(&path, "%s/sweep.json", place) < 0) {
    path = NULL;
    code = systole_story_errno(ENOMEM, "cannot write the sweep");
  } else {
    code = systole_output_write(path, text, strlen(text));
  }
  free(path);
  cJSON_free(text);
  return code;
}

static int write_folder(const systole_sweep *sweep, const cJSON *object,
                        const char *out) {
  systole_folder *folder = NULL;
  char why[200];
  int code = systole_folder_open(&folder, out);
  if (code != 0) return code;
  const char *place = systole_folder_place(folder);
  code = write_csv(sweep, place);
  if (code == 0) code = write_json(object, place);
  if (code == 0 && !systole_sweep_draw(sweep, place, why, sizeof why) && why[0] != '\0') {
    fprintf(stderr, "systole sweep: warning: there is no figure: %s\n", why);
  }
  if (code == 0 && systole_interrupted()) code = systole_interrupted_story();
  if (code != 0) {
    systole_folder_discard(folder);
    return code;
  }
  return systole_folder_commit(folder);
}

/* A folder that cannot be written is told before the long work. */
static int try_folder(const char *out) {
  systole_folder *folder = NULL;
  const int code = systole_folder_open(&folder, out);
  systole_folder_discard(folder);
  return code;
}

int systole_main_sweep(int argc, char **argv) {
  sweep_arguments *a = calloc(1, sizeof *a);
  if (a == NULL) return systole_story_errno(ENOMEM, "cannot sweep");
  systole_workload workload = {0};
  systole_sweep sweep = {0};
  cJSON *object = NULL;
  systole_common_init(&a->common);
  a->workload.name = "gemm";
  a->workload.hidden = 512;
  a->workload.batch = 64;
  a->workload.seed = 1;
  a->workload.no_data = 1;
  a->best_by = "time";
  for (int dim = 8; dim <= 256; dim *= 2) a->dims.numbers[a->dims.count++] = dim;
  a->clocks.numbers[a->clocks.count++] = 300;
  snprintf(a->ports.texts[a->ports.count++], sizeof a->ports.texts[0], "ideal");
  a->ubs.count = a->accs.count = 1; /* 0: the RTL's */
  int code = systole_parse(&parser, "sweep", argc, argv, a, &a->common);
  if (code == 0) code = check_arguments(a);
  if (code == 0) code = systole_workload_open(&workload, &a->workload);
  if (code == 0 && a->out != NULL) code = try_folder(a->out);
  if (code == 0) code = make_designs(&sweep, a);
  if (code == 0) {
    sweep.workload = workload.name;
    sweep.title = workload.title;
    sweep.technology = a->common.device.technology;
    sweep.best_by = a->best_by;
    sweep.limits = a->limits;
    code = run_all(&sweep, &workload, systole_threads_meant(a->common.device.threads));
  }
  if (code == 0) {
    choose(&sweep);
    object = systole_sweep_json(&sweep);
    if (object == NULL) code = systole_story_errno(ENOMEM, "cannot show the sweep");
  }
  if (code == 0 && a->out != NULL) code = write_folder(&sweep, object, a->out);
  if (code == 0 && a->common.json) {
    code = systole_show_json(object);
  } else if (code == 0) {
    systole_sweep_show(&sweep);
    if (a->out != NULL)
      printf("\n  wrote %s/sweep.csv, sweep.json and the figure\n", a->out);
  }
  cJSON_Delete(object);
  free(sweep.designs);
  systole_workload_free(&workload);
  free(a);
  return code;
}
