#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "execute.h"
#include "memory/axi_memory.h"
#include "program/forecast.h"
#include "support/clock.h"
#include "support/error.h"

/* As in the Verilated card: above 4 GiB and far apart, so that a lost half of an address
 * or a wrong port fails at once. */
static const uint64_t bases[2] = {UINT64_C(0x100000000000), UINT64_C(0x200000000000)};
static const uint64_t default_memory_bytes = UINT64_C(4) << 30;
static const uint64_t largest_memory_bytes = UINT64_C(1) << 40;
static const double default_clock_mhz = 300.0;

enum { SliceInstructions = 64 /* between two looks at the clock */ };

struct systole_model {
  systole_model_machine machine;
  systole_memory_timing timing;
  char memory_name[96];
  double clock_mhz, cpu_seconds;
  systole_kind clock_kind;
  int timing_only, every_event;
  int running, done;
  int measured; /* `forecast` is this run's */
  systole_forecast forecast;
  uint64_t counters[SYSTOLE_COUNTERS];
};

systole_geometry systole_model_geometry(int dim) {
  systole_geometry g = {0};
  g.dim = dim;
  g.axi_bytes = dim < 4 ? 4 : dim > 64 ? 64 : dim;
  g.weight_ports = 1;
  g.ub_rows = dim <= 16 ? 16384 : dim <= 64 ? 8192 : 4096;
  g.acc_rows = 2048;
  g.weight_tiles = dim >= 64 ? 4 : 256 / (uint32_t)dim;
  g.features = 1u << SYSTOLE_FEATURE_RESIDUAL | 1u << SYSTOLE_FEATURE_POOL;
  g.flat_array = 1;
  return g;
}

/* ---- opening ------------------------------------------------------------------------
 */

static int is_power(uint32_t value) { return value > 0 && (value & (value - 1)) == 0; }

/* The RTL wants powers of two for its buffers, too; the model takes any size. */
static systole_status check_geometry(const systole_geometry *g) {
  if (g->dim < 4 || g->dim > 1024 || !is_power((uint32_t)g->dim)) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a model of a %d x %d array was asked for; the size is a power of "
        "two from 4 to 1024",
        g->dim, g->dim);
  }
  if (g->axi_bytes < 4 || g->axi_bytes > 64 || g->axi_bytes > 2 * g->dim ||
      !is_power((uint32_t)g->axi_bytes)) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "memory ports of %d bytes were asked for; a port has 4, 8, 16, 32 "
        "or 64, and at most two rows of the array (%d)",
        g->axi_bytes, 2 * g->dim);
  }
  if (g->ub_rows < 16 || g->ub_rows > 1u << 24) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a unified buffer of %u rows was asked for; it has 16 to 16777216", g->ub_rows);
  }
  if (g->acc_rows < 4 || g->acc_rows > 1u << 24 || g->acc_rows % 2 != 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "accumulators of %u rows were asked for; there are two equal "
                        "halves, together 4 to 16777216 rows",
                        g->acc_rows);
  }
  if (g->weight_tiles < 4 || g->weight_tiles > 1024) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a weight FIFO of %u tiles was asked for; it has 4 to 1024",
                        g->weight_tiles);
  }
  return SYSTOLE_OK;
}

systole_status systole_model_create(systole_model **out,
                                    const systole_model_options *options) {
  *out = NULL;
  const double clock = options->clock_mhz > 0 ? options->clock_mhz : default_clock_mhz;
  uint64_t bytes =
      options->memory_bytes > 0 ? options->memory_bytes : default_memory_bytes;
  systole_status status = check_geometry(&options->geometry);
  if (status != SYSTOLE_OK) return status;
  if (!isfinite(options->clock_mhz) || options->clock_mhz < 0 || clock < 0.001 ||
      clock > 2000) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a kernel clock of %g MHz was asked for; it is 0.001 to 2000, or 0 "
        "for 300",
        options->clock_mhz);
  }
  if (bytes > largest_memory_bytes) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%llu bytes of device memory were asked for; there are at most %llu",
        (unsigned long long)bytes, (unsigned long long)largest_memory_bytes);
  }
  systole_model *model = calloc(1, sizeof *model);
  if (model == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  model->clock_mhz = clock;
  model->timing_only = options->timing_only;
  model->every_event = options->every_event;
  model->clock_kind = options->clock_kind != SYSTOLE_KIND_UNKNOWN ? options->clock_kind
                                                                  : SYSTOLE_KIND_ASSUMED;
  status = systole_memory_timing_of(&model->timing, options->memory,
                                    options->geometry.axi_bytes, clock);
  if (status == SYSTOLE_OK) {
    (void)snprintf(model->memory_name, sizeof model->memory_name, "%s",
                   options->memory != NULL ? options->memory : "ideal");
    status = systole_model_machine_make(&model->machine, &options->geometry,
                                        options->portable, options->timing_only);
  }
  model->machine.bus = options->bus;
  for (int port = 0; port < 2 && status == SYSTOLE_OK && options->bus == NULL; port++) {
    model->machine.memory[port] = systole_axi_store_create(bases[port], bytes);
    if (model->machine.memory[port] == NULL) {
      status = systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                            "this machine refuses %llu bytes for device memory: %s",
                            (unsigned long long)bytes, strerror(errno));
    }
  }
  if (status != SYSTOLE_OK) {
    systole_model_free(model);
    return status;
  }
  *out = model;
  return SYSTOLE_OK;
}

void systole_model_free(systole_model *model) {
  if (model == NULL) return;
  systole_model_machine_free(&model->machine);
  free(model);
}

/* ---- memory -------------------------------------------------------------------------
 */

systole_status systole_model_alloc(systole_model *model, systole_port port,
                                   uint64_t bytes, uint64_t *address) {
  uint64_t used, longest;
  *address = systole_axi_store_alloc(model->machine.memory[port], bytes);
  if (*address != 0) return SYSTOLE_OK;
  systole_axi_store_usage(model->machine.memory[port], &used, &longest);
  return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY,
                      "%llu bytes of device memory behind gmem%d were asked for; %llu of "
                      "%llu are in use, and the longest gap has %llu",
                      (unsigned long long)bytes, (int)port, (unsigned long long)used,
                      (unsigned long long)model->machine.memory[port]->bytes,
                      (unsigned long long)longest);
}

void systole_model_release(systole_model *model, systole_port port, uint64_t address) {
  (void)systole_axi_store_release(model->machine.memory[port], address);
}

systole_status systole_model_at(systole_model *model, systole_port port, uint64_t address,
                                uint64_t bytes, uint8_t **data) {
  *data = systole_axi_store_at(model->machine.memory[port], address, bytes);
  if (*data != NULL) return SYSTOLE_OK;
  return systole_fail(SYSTOLE_ERR_DEVICE,
                      "%llu bytes at device address 0x%llx are not in the memory behind "
                      "gmem%d",
                      (unsigned long long)bytes, (unsigned long long)address, (int)port);
}

/* ---- registers ----------------------------------------------------------------------
 */

static uint32_t log2_of(uint32_t value) {
  uint32_t bits = 0;
  while ((1u << bits) < value) bits++;
  return bits;
}

uint32_t systole_model_register(const systole_model *model, uint32_t offset) {
  const systole_geometry *g = &model->machine.geometry;
  const systole_model_error *error = &model->machine.error;
  const uint32_t counters_end = SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTERS;
  if (offset >= SYSTOLE_REG_COUNTERS && offset < counters_end) {
    const uint64_t counter = model->counters[(offset - SYSTOLE_REG_COUNTERS) / 8];
    return (uint32_t)(offset % 8 == 0 ? counter : counter >> 32);
  }
  switch (offset) {
    case SYSTOLE_REG_CONTROL: /* start while busy; idle, and done once a run has ended */
      return model->running ? 1u : 4u | (model->done ? 2u : 0u);
    case SYSTOLE_REG_IDENTITY:
      return SYSTOLE_IDENTITY_VALUE;
    case SYSTOLE_REG_VERSION:
      return SYSTOLE_ISA_VERSION | SYSTOLE_RTL_VERSION << 8;
    case SYSTOLE_REG_GEOMETRY:
      return log2_of((uint32_t)g->dim) | log2_of((uint32_t)g->axi_bytes) << 8 |
             (uint32_t)g->weight_ports << 16 | (uint32_t)g->flat_array << 24;
    case SYSTOLE_REG_UB_ROWS:
      return g->ub_rows;
    case SYSTOLE_REG_ACC_ROWS:
      return g->acc_rows;
    case SYSTOLE_REG_WEIGHT_TILES:
      return g->weight_tiles;
    case SYSTOLE_REG_FEATURES:
      return g->features;
    case SYSTOLE_REG_ERROR_CODE:
      return (uint32_t)(error->code | error->unit << 8);
    case SYSTOLE_REG_ERROR_INDEX:
      return error->index;
    case SYSTOLE_REG_ERROR_DETAIL:
      return error->detail;
    default:
      return 0;
  }
}

/* ---- runs ---------------------------------------------------------------------------
 */

systole_status systole_model_start(systole_model *model, uint64_t program,
                                   uint64_t weights, uint64_t activations,
                                   uint32_t instructions) {
  if (model->running) {
    return systole_fail(SYSTOLE_ERR_DEVICE, "a run is going on this model; wait for it");
  }
  memset(model->counters, 0, sizeof model->counters);
  model->measured = 0;
  const double start = systole_cpu_seconds();
  const systole_status status =
      systole_model_begin(&model->machine, program, weights, activations, instructions);
  model->cpu_seconds += systole_cpu_seconds() - start;
  model->running = status == SYSTOLE_OK;
  model->done = 0;
  return status;
}

/* Counters of a run whose data is done. */
static void count(systole_model *model, const systole_forecast *f) {
  const systole_model_machine *m = &model->machine;
  uint64_t *c = model->counters;
  c[SYSTOLE_COUNTER_CYCLES] = f->cycles;
  c[SYSTOLE_COUNTER_ACTIVE] = f->ledger.active;
  c[SYSTOLE_COUNTER_START] = f->ledger.start;
  c[SYSTOLE_COUNTER_DRAIN] = f->ledger.drain;
  c[SYSTOLE_COUNTER_OUTPUT_STALL] = f->ledger.output_stall;
  c[SYSTOLE_COUNTER_INPUT_STALL] = f->ledger.input_stall;
  c[SYSTOLE_COUNTER_WEIGHT_STALL] = f->ledger.weight_stall;
  c[SYSTOLE_COUNTER_WEIGHT_SHIFT] = f->ledger.weight_shift;
  c[SYSTOLE_COUNTER_OTHER] = f->ledger.other;
  c[SYSTOLE_COUNTER_GMEM0_READ_BYTES] = f->gmem0_read_bytes;
  c[SYSTOLE_COUNTER_GMEM0_WRITE_BYTES] = f->gmem0_write_bytes;
  c[SYSTOLE_COUNTER_GMEM1_READ_BYTES] = f->gmem1_read_bytes;
  c[SYSTOLE_COUNTER_INSTRUCTIONS] = f->instructions;
  c[SYSTOLE_COUNTER_ZERO_MACS] = m->zero_macs;
  c[SYSTOLE_COUNTER_UB_READS] = m->ub_reads;
  c[SYSTOLE_COUNTER_UB_WRITES] = m->ub_writes;
  c[SYSTOLE_COUNTER_WEIGHT_ROWS] = m->weight_rows;
  c[SYSTOLE_COUNTER_ACC_READS] = m->acc_reads;
}

/* The forecast of the run, once. 0: it does not end. */
static int measure(systole_model *model) {
  const systole_model_machine *m = &model->machine;
  if (!model->measured) {
    systole_status (*const forecast)(systole_forecast *, const systole_instruction *,
                                     uint32_t, const systole_geometry *,
                                     const systole_memory_timing *) =
        model->every_event ? systole_forecast_every_event : systole_forecast_make;
    model->measured = forecast(&model->forecast, m->instructions, m->count, &m->geometry,
                               &model->timing) == SYSTOLE_OK;
  }
  return model->measured;
}

static void tell_time(systole_model *model) {
  systole_model_error *error = &model->machine.error;
  if (measure(model)) {
    count(model, &model->forecast);
  } else {
    /* Queues and buffers are finite, other than in execute.c: here the watchdog ends it.
     */
    *error = (systole_model_error){SYSTOLE_ERROR_TOKEN, SYSTOLE_UNIT_DISPATCH, 0, 0};
  }
}

systole_status systole_model_measure(systole_model *model, uint64_t *cycles) {
  const double cpu = systole_cpu_seconds();
  const int good = model->running && model->machine.error.code == SYSTOLE_ERROR_NONE;
  *cycles = good && measure(model) ? model->forecast.cycles : 0;
  model->cpu_seconds += systole_cpu_seconds() - cpu;
  return SYSTOLE_OK;
}

systole_status systole_model_run_to(systole_model *model, double part, int *done) {
  systole_model_machine *m = &model->machine;
  const double cpu = systole_cpu_seconds();
  systole_status status = SYSTOLE_OK;
  *done = !model->running || model->timing_only || m->error.code != SYSTOLE_ERROR_NONE;
  if (!*done) {
    const double stop = part < 1 ? part * m->count : m->count;
    status = systole_model_continue(m, (uint32_t)stop, done);
  }
  if (model->timing_only && part < 1) *done = 0;
  if (model->running && status == SYSTOLE_OK && *done &&
      m->error.code == SYSTOLE_ERROR_NONE) {
    tell_time(model);
  }
  if (*done || status != SYSTOLE_OK) model->running = 0;
  model->done |= *done;
  model->cpu_seconds += systole_cpu_seconds() - cpu;
  return status;
}

systole_status systole_model_run(systole_model *model, uint32_t slice_ms, int *done) {
  systole_model_machine *m = &model->machine;
  *done = !model->running;
  if (!model->running) return SYSTOLE_OK;
  const double cpu = systole_cpu_seconds();
  const double until = systole_wall_seconds() + 1e-3 * slice_ms;
  systole_status status = SYSTOLE_OK;
  int finished = model->timing_only || m->error.code != SYSTOLE_ERROR_NONE;
  if (model->timing_only && m->error.code == SYSTOLE_ERROR_NONE) systole_model_count(m);
  while (!finished && status == SYSTOLE_OK) {
    status = systole_model_continue(m, m->executed + SliceInstructions, &finished);
    if (systole_wall_seconds() > until) break;
  }
  if (status == SYSTOLE_OK && finished && m->error.code == SYSTOLE_ERROR_NONE) {
    tell_time(model);
  }
  if (finished || status != SYSTOLE_OK) model->running = 0;
  model->done |= finished;
  *done = finished;
  model->cpu_seconds += systole_cpu_seconds() - cpu;
  return status;
}

systole_status systole_model_run_timed(systole_model *model,
                                       const systole_forecast_bus *time) {
  systole_model_machine *m = &model->machine;
  systole_forecast f;
  if (!model->running) return SYSTOLE_OK;
  systole_status status = SYSTOLE_OK;
  memset(&f, 0, sizeof f);
  if (m->error.code == SYSTOLE_ERROR_NONE) {
    const systole_status ended = systole_forecast_on_bus(
        &f, m->instructions, m->count, &m->geometry, &model->timing, time);
    int failed = 0;
    if (ended == SYSTOLE_ERR_HOST_MEMORY) status = ended;
    if (ended != SYSTOLE_ERR_DEVICE) status = systole_model_compute(model, &failed);
    /* Nothing is left that could bring what is waited for: here the watchdog ends it. */
    if (ended == SYSTOLE_ERR_ARGUMENT && m->error.code == SYSTOLE_ERROR_NONE) {
      const int all = model->timing_only || m->executed + 1 == m->count;
      if (all) {
        m->error =
            (systole_model_error){SYSTOLE_ERROR_TOKEN, SYSTOLE_UNIT_DISPATCH, 0, 0};
      } else {
        systole_model_starve(m);
      }
    }
  }
  count(model, &f);
  model->running = 0;
  model->done = 1;
  return status;
}

systole_status systole_model_compute(systole_model *model, int *failed) {
  int done;
  const double cpu = systole_cpu_seconds();
  systole_status status = SYSTOLE_OK;
  if (!model->timing_only) {
    status = systole_model_continue(&model->machine, UINT32_MAX, &done);
  }
  *failed = status != SYSTOLE_OK || model->machine.error.code != SYSTOLE_ERROR_NONE;
  model->cpu_seconds += systole_cpu_seconds() - cpu;
  return status;
}

void systole_model_starved(systole_model *model) {
  if (model->machine.error.code == SYSTOLE_ERROR_NONE) {
    systole_model_starve(&model->machine);
  }
}

void systole_model_fail(systole_model *model, int code, int unit, uint32_t index,
                        uint64_t address) {
  systole_model_error *error = &model->machine.error;
  if (error->code != SYSTOLE_ERROR_NONE) return;
  *error = (systole_model_error){code, unit, index, (uint32_t)address};
}

void systole_model_stop(systole_model *model) {
  model->running = 0;
  model->done = 0;
}

double systole_model_clock_mhz(const systole_model *model) { return model->clock_mhz; }

systole_kind systole_model_clock_kind(const systole_model *model) {
  return model->clock_kind;
}

int systole_model_timing_only(const systole_model *model) { return model->timing_only; }

const char *systole_model_memory_name(const systole_model *model) {
  /* A preset's own name outlives the model. */
  for (int i = 0; systole_axi_preset_name(i) != NULL; i++) {
    if (strcmp(systole_axi_preset_name(i), model->memory_name) == 0) {
      return systole_axi_preset_name(i);
    }
  }
  return model->memory_name;
}

const systole_memory_timing *systole_model_timing(const systole_model *model) {
  return &model->timing;
}

double systole_model_cpu_seconds(const systole_model *model) {
  return model->cpu_seconds;
}

const char *systole_model_kernel_name(const systole_model *model) {
  return systole_model_array_kernel(model->machine.array);
}
