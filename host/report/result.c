#include "result.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/shares.h"

const char *systole_kind_word(systole_kind kind) {
  switch (kind) {
    case SYSTOLE_KIND_MEASURED:
      return "measured";
    case SYSTOLE_KIND_MODELLED:
      return "modelled";
    case SYSTOLE_KIND_PUBLISHED:
      return "published";
    case SYSTOLE_KIND_ASSUMED:
      return "assumed";
    case SYSTOLE_KIND_ESTIMATE:
      return "estimate";
    case SYSTOLE_KIND_UNKNOWN:
      break;
  }
  return NULL;
}

size_t systole_results_verdict(char *out, size_t size, const systole_result *results,
                               size_t count) {
  size_t checked = 0, wrong = 0, floats = 0;
  for (size_t i = 0; i < count; i++) {
    if (!results[i].checked) continue;
    checked++;
    wrong += results[i].mismatches > 0;
    floats += results[i].format != SYSTOLE_FORMAT_S8;
  }
  const size_t whole = checked - floats;
  char first[80];
  if (checked == count) {
    snprintf(first, sizeof first, "All %zu results are", checked);
  } else {
    snprintf(first, sizeof first, "%zu of %zu results were checked and are", checked,
             count);
  }
  if (wrong > 0) {
    snprintf(out, size, "%zu of %zu results are wrong", wrong, checked);
  } else if (checked == 0) {
    snprintf(out, size, "No result was checked");
  } else if (floats == 0) {
    snprintf(out, size, "%s exact%s", first, checked == count ? ", bit for bit" : "");
  } else if (whole == 0) {
    snprintf(out, size, "%s right within the rounding of their format", first);
  } else {
    snprintf(out, size,
             "%s right: %zu exact, bit for bit, %zu within the rounding of "
             "their format",
             first, whole, floats);
  }
  return wrong;
}

void systole_result_verdict(char *out, size_t size, const systole_result *result) {
  if (!result->checked) {
    snprintf(out, size, "not checked");
  } else if (result->mismatches > 0) {
    snprintf(out, size, "%" PRIu64 " wrong", result->mismatches);
  } else {
    snprintf(out, size, "%s",
             result->format == SYSTOLE_FORMAT_S8 ? "exact" : "within rounding");
  }
}

systole_kind systole_kind_weaker(systole_kind a, systole_kind b) {
  static const int weakness[] = {[SYSTOLE_KIND_MEASURED] = 1,
                                 [SYSTOLE_KIND_PUBLISHED] = 2,
                                 [SYSTOLE_KIND_MODELLED] = 3,
                                 [SYSTOLE_KIND_ASSUMED] = 4,
                                 [SYSTOLE_KIND_ESTIMATE] = 5};
  if (a == SYSTOLE_KIND_UNKNOWN || b == SYSTOLE_KIND_UNKNOWN) return SYSTOLE_KIND_UNKNOWN;
  return weakness[a] > weakness[b] ? a : b;
}

const char *systole_result_unit(const systole_result *result) {
  return result->format == SYSTOLE_FORMAT_S8 ? "GOP/s" : "GFLOP/s";
}

systole_bounds systole_result_efficiency(const systole_result *result) {
  systole_bounds out = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  const systole_bounds *power = &result->stats.power_w;
  if (power->kind == SYSTOLE_KIND_UNKNOWN || !(power->low > 0) ||
      !(result->stats.gops > 0)) {
    return out;
  }
  out.kind = power->kind;
  out.low = result->stats.gops / power->high;
  out.nominal = result->stats.gops / power->nominal;
  out.high = result->stats.gops / power->low;
  return out;
}

double systole_result_per_cpu_second(const systole_result *result) {
  const systole_stats *stats = &result->stats;
  return stats->cpu_s > 0 ? 2e-9 * (double)stats->macs / stats->cpu_s : 0;
}

double systole_result_percent_of_peak(const systole_result *result) {
  if (!(result->peak_gops > 0) || !(result->stats.gops > 0)) return -1;
  return 100 * result->stats.gops / result->peak_gops;
}

double systole_result_intensity(const systole_result *result, int *counted) {
  const systole_stats *stats = &result->stats;
  const double operations = 2 * (double)stats->macs;
  *counted = stats->has_cycles;
  double bytes = (double)stats->dram_read_bytes + (double)stats->dram_write_bytes;
  if (!*counted) {
    const double m = (double)result->m, n = (double)result->n, k = (double)result->k;
    const double element = systole_format_bytes(result->format);
    bytes = element * (m * k + k * n) + 4 * m * n;
    if (result->has_conv) { /* its windows overlap, and it is one tensor after all */
      const systole_conv2d *c = &result->conv;
      bytes = (double)c->batch * ((double)(c->height * c->width * c->channels) +
                                  4.0 * (double)(result->out_height * result->out_width) *
                                      (double)c->out_channels) +
              k * n;
    }
  }
  return bytes > 0 ? operations / bytes : 0;
}

double systole_result_percent_of_bandwidth(const systole_result *result) {
  int counted = 0;
  const double intensity = systole_result_intensity(result, &counted);
  if (!(result->bandwidth_gbs > 0) || counted || !(intensity > 0)) return -1;
  return 100 * result->stats.gops / intensity / result->bandwidth_gbs;
}

int systole_result_is_modelled(const systole_result *result) {
  return result->stats.has_cycles && result->stats.clock_kind != SYSTOLE_KIND_MEASURED;
}

static const struct {
  const char *name;
  const char *meaning;
} parts[SystoleLedgerParts] = {
    {"active", "A row of activations enters the array: useful work, padding included."},
    {"start",
     "Before the first row: the program, the first weights and activations are fetched."},
    {"drain", "After the last row: sums leave the array, results are written to memory."},
    {"output_stall",
     "The next product waits for a free half of the accumulators: results leave "
     "more slowly than they are made."},
    {"input_stall", "The next product waits for its activations."},
    {"weight_stall",
     "The next weight tile has not arrived from memory: little reuse of weights, "
     "typical of small batches."},
    {"weight_shift", "The weight tile is on the chip and still moves into place."},
    {"other", "No product waits at the array: the command stream itself is the limit."},
};

const char *systole_ledger_name(int part) { return parts[part].name; }
const char *systole_ledger_meaning(int part) { return parts[part].meaning; }

uint64_t systole_ledger_part(const systole_ledger *ledger, int part) {
  const uint64_t values[SystoleLedgerParts] = {ledger->active,       ledger->start,
                                               ledger->drain,        ledger->output_stall,
                                               ledger->input_stall,  ledger->weight_stall,
                                               ledger->weight_shift, ledger->other};
  return values[part];
}

int systole_json_u64(cJSON *object, const char *key, uint64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRIu64, value);
  return cJSON_AddRawToObject(object, key, digits) != NULL;
}

static int add_number(cJSON *object, const char *key, double value) {
  return cJSON_AddNumberToObject(object, key, value) != NULL;
}

static int add_text(cJSON *object, const char *key, const char *value) {
  return cJSON_AddStringToObject(object, key, value) != NULL;
}

static int add_bounds(cJSON *object, const char *key, const systole_bounds *bounds) {
  const char *kind = systole_kind_word(bounds->kind);
  if (kind == NULL) return 1;
  cJSON *inner = cJSON_AddObjectToObject(object, key);
  return inner != NULL && add_text(inner, "kind", kind) &&
         add_number(inner, "low", bounds->low) &&
         add_number(inner, "nominal", bounds->nominal) &&
         add_number(inner, "high", bounds->high);
}

static int add_cycles(cJSON *object, const systole_result *result) {
  const systole_stats *stats = &result->stats;
  const char *clock_kind = systole_kind_word(stats->clock_kind);
  int good = systole_json_u64(object, "cycles", stats->cycles);
  if (stats->clock_mhz > 0)
    good = good && add_number(object, "clock_mhz", stats->clock_mhz);
  if (clock_kind != NULL) good = good && add_text(object, "clock_kind", clock_kind);
  if (stats->memory != NULL) good = good && add_text(object, "memory", stats->memory);
  good = good && add_number(object, "utilisation", stats->utilisation) &&
         (!isfinite(stats->utilisation_ceiling) ||
          add_number(object, "utilisation_ceiling", stats->utilisation_ceiling));

  cJSON *ledger = cJSON_AddObjectToObject(object, "ledger");
  good = good && ledger != NULL;
  for (int part = 0; good && part < SystoleLedgerParts; part++) {
    good = systole_json_u64(ledger, parts[part].name,
                            systole_ledger_part(&stats->ledger, part));
  }
  cJSON *bytes = cJSON_AddObjectToObject(object, "bytes");
  const struct {
    const char *key;
    uint64_t value;
  } traffic[] = {{"dram_read", stats->dram_read_bytes},
                 {"dram_write", stats->dram_write_bytes},
                 {"gmem0_read", stats->gmem0_read_bytes},
                 {"gmem0_write", stats->gmem0_write_bytes},
                 {"gmem1_read", stats->gmem1_read_bytes},
                 {"unified_buffer_read", stats->ub_read_bytes},
                 {"unified_buffer_write", stats->ub_write_bytes},
                 {"weights", stats->weight_bytes},
                 {"accumulator_read", stats->acc_read_bytes},
                 {"accumulator_write", stats->acc_write_bytes}};
  good = good && bytes != NULL;
  for (size_t i = 0; good && i < sizeof traffic / sizeof traffic[0]; i++) {
    good = systole_json_u64(bytes, traffic[i].key, traffic[i].value);
  }
  /* Which operands are zero is not known without data. */
  if (good && !stats->timing_only) {
    good = systole_json_u64(object, "zero_macs", stats->zero_macs);
  }
  return good && systole_json_u64(object, "instructions", stats->instructions);
}

static int add_pair(cJSON *object, const char *key, int64_t first, int64_t second) {
  const double values[] = {(double)first, (double)second};
  cJSON *array = cJSON_CreateDoubleArray(values, 2);
  return array != NULL && cJSON_AddItemToObject(object, key, array);
}

/* The shape of a convolution; what it does not have is absent. */
static int add_conv(cJSON *object, const systole_result *result) {
  const systole_conv2d *c = &result->conv;
  cJSON *entry = cJSON_AddObjectToObject(object, "conv");
  int good = entry != NULL && systole_json_u64(entry, "batch", (uint64_t)c->batch) &&
             systole_json_u64(entry, "height", (uint64_t)c->height) &&
             systole_json_u64(entry, "width", (uint64_t)c->width) &&
             systole_json_u64(entry, "channels", (uint64_t)c->channels) &&
             systole_json_u64(entry, "out_channels", (uint64_t)c->out_channels) &&
             add_pair(entry, "kernel", c->kernel_height, c->kernel_width) &&
             add_pair(entry, "stride", c->stride_height, c->stride_width) &&
             add_pair(entry, "dilation", c->dilation_height, c->dilation_width) &&
             add_pair(entry, "pad_top_bottom", c->pad_top, c->pad_bottom) &&
             add_pair(entry, "pad_left_right", c->pad_left, c->pad_right) &&
             systole_json_u64(entry, "groups", (uint64_t)c->groups) &&
             add_pair(entry, "output", result->out_height, result->out_width);
  if (good && c->pool != SYSTOLE_POOLING_NONE) {
    good = add_text(entry, "pool", c->pool == SYSTOLE_POOLING_MAX ? "max" : "average") &&
           add_pair(entry, "pool_window", c->pool_height, c->pool_width);
  }
  return good;
}

static int add_advice(cJSON *array, const systole_advice *advice, int conv) {
  const systole_setup *s = &advice->setup;
  cJSON *entry = cJSON_CreateObject();
  int good = entry != NULL && cJSON_AddItemToArray(array, entry) &&
             add_text(entry, "what", advice->what) &&
             add_text(entry, "say", advice->say) &&
             cJSON_AddBoolToObject(entry, "hardware", advice->hardware) != NULL;
  if (good && !advice->hardware) good = add_text(entry, "device", s->device);
  if (conv) {
    good = good && systole_json_u64(entry, "batch", (uint64_t)s->m);
  } else {
    good = good && systole_json_u64(entry, "m", (uint64_t)s->m) &&
           systole_json_u64(entry, "n", (uint64_t)s->n) &&
           systole_json_u64(entry, "k", (uint64_t)s->k);
  }
  good = good && cJSON_AddBoolToObject(entry, "int8", s->int8_results) != NULL &&
         add_text(entry, "memory", s->memory);
  if (good && advice->hardware) {
    good = add_number(entry, "axi_bytes", s->geometry.axi_bytes) &&
           add_number(entry, "weight_ports", s->geometry.weight_ports) &&
           add_number(entry, "ub_rows", s->geometry.ub_rows) &&
           add_number(entry, "acc_rows", s->geometry.acc_rows);
  }
  good = good && systole_json_u64(entry, "cycles", advice->cycles) &&
         add_number(entry, "utilisation", advice->utilisation) &&
         add_number(entry, "gops", advice->gops);
  if (good && advice->command[0] != '\0')
    good = add_text(entry, "command", advice->command);
  return good;
}

/* "limit", "why" and "try": the reason, a sentence, and what was forecast to help. */
static int add_explanation(cJSON *object, const systole_explanation *e, int conv) {
  if (e->limit[0] == '\0') return 1;
  cJSON *array = NULL;
  int good = add_text(object, "limit", e->limit) &&
             add_text(object, "why", e->sentence) &&
             (array = cJSON_AddArrayToObject(object, "try")) != NULL;
  for (int i = 0; good && i < e->count; i++)
    good = add_advice(array, &e->advice[i], conv);
  return good;
}

/* "energy": how the totals in power_w and energy_j were found, and what of them is
 * beyond rest. */
static int add_energy(cJSON *object, const systole_result *result) {
  const systole_energy_report *r = &result->energy;
  if (!result->has_energy) return 1;
  cJSON *entry = cJSON_AddObjectToObject(object, "energy");
  const double spread[] = {r->spread_low_j, r->spread_high_j};
  cJSON *range = cJSON_CreateDoubleArray(spread, 2);
  int good = entry != NULL && range != NULL;
  if (!good || !cJSON_AddItemToObject(entry, "spread_j", range)) {
    cJSON_Delete(range);
    return 0;
  }
  good = add_text(entry, "source", r->source) &&
         (r->why[0] == '\0' || add_text(entry, "why", r->why)) &&
         add_number(entry, "windows", r->windows) &&
         add_number(entry, "window_s", r->window_s) &&
         systole_json_u64(entry, "runs", r->runs) &&
         (!(r->step_s > 0) || add_number(entry, "step_s", r->step_s)) &&
         add_number(entry, "idle_s", r->idle_s) &&
         add_number(entry, "busy_s", r->busy_s) &&
         add_bounds(entry, "idle_w", &r->idle_w) &&
         add_bounds(entry, "incremental_w", &r->incremental_w) &&
         add_bounds(entry, "incremental_j", &r->incremental_j);
  return good;
}

/* "landauer": how far the energy is above what physics asks of so many MACs. */
static int add_landauer(cJSON *object, const systole_stats *stats) {
  const systole_bounds times =
      systole_energy_landauer_times(&stats->energy_j, stats->macs);
  if (times.kind == SYSTOLE_KIND_UNKNOWN) return 1;
  cJSON *entry = cJSON_AddObjectToObject(object, "landauer");
  return entry != NULL && add_number(entry, "kelvin", SYSTOLE_LANDAUER_KELVIN) &&
         add_number(entry, "bits_per_mac", SYSTOLE_LANDAUER_BITS_PER_MAC) &&
         add_number(entry, "limit_j", systole_energy_landauer_j(stats->macs)) &&
         add_bounds(entry, "times", &times);
}

/* Host, transfer and compute of an accelerator's run. */
static int add_end_to_end(cJSON *object, const systole_result *result) {
  systole_shares shares;
  systole_shares_of_result(&shares, result);
  if (!shares.known) return 1;
  cJSON *entry = cJSON_AddObjectToObject(object, "end_to_end");
  const double seconds = systole_shares_total(&shares);
  const char *kind = systole_kind_word(shares.transfer_kind);
  int good = entry != NULL && add_number(entry, "seconds", seconds) &&
             add_number(entry, "gops", 2e-9 * (double)result->stats.macs / seconds) &&
             add_number(entry, "host_s", shares.host_s) &&
             add_number(entry, "compute_s", shares.compute_s);
  if (good && kind != NULL) {
    good = add_number(entry, "transfer_s", shares.transfer_s) &&
           add_text(entry, "transfer_kind", kind);
  }
  return good;
}

cJSON *systole_result_json(const systole_result *result) {
  const systole_stats *stats = &result->stats;
  cJSON *object = cJSON_CreateObject();
  int good = object != NULL && add_text(object, "device", result->device) &&
             add_text(object, "workload", result->workload);
  if (good && result->label[0] != '\0') good = add_text(object, "label", result->label);
  good = good && systole_json_u64(object, "m", (uint64_t)result->m) &&
         systole_json_u64(object, "n", (uint64_t)result->n) &&
         systole_json_u64(object, "k", (uint64_t)result->k);
  if (good && result->has_conv) good = add_conv(object, result);
  if (good && result->has_seed) good = systole_json_u64(object, "seed", result->seed);
  good = good && systole_json_u64(object, "macs", stats->macs) &&
         add_text(object, "format", systole_format_name(result->format)) &&
         cJSON_AddBoolToObject(object, "checked", result->checked) != NULL;
  if (good && stats->timing_only) {
    good = cJSON_AddBoolToObject(object, "timing_only", 1) != NULL;
  }
  if (good && result->checked) {
    good = systole_json_u64(object, "mismatches", result->mismatches);
    if (good && result->checked_by != NULL) {
      good = add_text(object, "checked_by", result->checked_by);
    }
    if (good && result->format != SYSTOLE_FORMAT_S8) {
      good = add_number(object, "largest_error", result->largest_error) &&
             add_number(object, "error_bound", result->error_bound);
    }
  }
  if (good && result->geometry.dim > 0)
    good = add_number(object, "dim", result->geometry.dim);
  if (good && result->int8_results) {
    good = cJSON_AddBoolToObject(object, "int8", 1) != NULL;
  }
  if (good && stats->has_cycles) good = add_cycles(object, result);
  good = good && add_explanation(object, &result->explanation, result->has_conv);
  if (good && stats->kernel != NULL) good = add_text(object, "kernel", stats->kernel);
  if (good && result->threads > 0) good = add_number(object, "threads", result->threads);
  if (good && result->peak_gops > 0) {
    const char *kind = systole_kind_word(result->peak_kind);
    good = add_number(object, "peak_gops", result->peak_gops) &&
           (kind == NULL || add_text(object, "peak_kind", kind)) &&
           (result->peak_instruction == NULL ||
            add_text(object, "peak_instruction", result->peak_instruction));
    const double percent = systole_result_percent_of_peak(result);
    if (good && percent >= 0) good = add_number(object, "percent_of_peak", percent);
  }
  if (good && systole_result_percent_of_bandwidth(result) >= 0) {
    good = add_number(object, "bandwidth_gbs", result->bandwidth_gbs) &&
           add_number(object, "percent_of_bandwidth",
                      systole_result_percent_of_bandwidth(result));
  }
  if (good && stats->seconds > 0) good = add_number(object, "seconds", stats->seconds);
  if (good && stats->seconds > 0) good = add_number(object, "gops", stats->gops);
  good = good && add_number(object, "repeats", result->repeats) &&
         add_number(object, "wall_s", stats->wall_s);
  if (good && result->repeats > 1) {
    good = add_number(object, "wall_low_s", result->wall_low_s) &&
           add_number(object, "wall_high_s", result->wall_high_s);
  }
  good = good && add_number(object, "cpu_s", stats->cpu_s);
  if (good && result->geometry.dim == 0 && stats->cpu_s > 0) {
    good = add_number(object, "gops_per_cpu_s", systole_result_per_cpu_second(result));
  }
  if (good && stats->compute_s > 0) {
    good =
        add_number(object, "compute_s", stats->compute_s) &&
        add_number(object, "transfer_s", stats->transfer_s) &&
        add_number(object, "gops_device", 2e-9 * (double)stats->macs / stats->compute_s);
  }
  if (good && stats->sim_cpu_s > 0 && stats->macs > 0) {
    good =
        add_number(object, "sim_macs_per_cpu_s", (double)stats->macs / stats->sim_cpu_s);
  }
  good = good && add_number(object, "host_share", stats->host_share) &&
         add_end_to_end(object, result) &&
         add_bounds(object, "power_w", &stats->power_w) &&
         add_bounds(object, "energy_j", &stats->energy_j);
  if (good && stats->technology != NULL)
    good = add_text(object, "technology", stats->technology);
  good = good && add_energy(object, result) && add_landauer(object, stats);
  const systole_bounds efficiency = systole_result_efficiency(result);
  good = good && add_bounds(object, "gops_per_w", &efficiency);
  if (!good) {
    cJSON_Delete(object);
    object = NULL;
  }
  return object;
}
