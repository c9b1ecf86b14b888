/* The CPU as an engine: device names "cpu" (the best kernel of this machine) and
 * "cpu:<kernel>". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bandwidth.h"
#include "conv.h"
#include "energy/energy.h"
#include "engine/engine.h"
#include "kernel.h"
#include "onednn.h"
#include "peak.h"
#include "pool.h"
#include "support/clock.h"
#include "support/error.h"
#include "tile.h"

enum {
  /* MACs between two calls of the progress function: 0.1 s at 20 GMAC/s. */
  ProgressMacs = INT32_MAX,
  MaxThreads = 4096,
};

struct systole_engine {
  const systole_cpu_kernel *kernel;
  systole_cpu_room *room;
  int threads;
  systole_energy_meter *counters; /* for spans that counters can resolve */
  systole_energy_meter *model;    /* for shorter ones: reading counters would cost more */
  systole_progress progress;
  void *progress_user;
  double peak_gops; /* 0: not yet measured */
};

struct systole_engine_weights {
  systole_engine *engine;
  systole_cpu_weights *weights;
  int64_t n, k;
  int requantised;
};

static void add_row(void (*add)(void *user, const systole_device_info *info), void *user,
                    const char *name, const char *about, const char *why) {
  const systole_device_info info = {name, "cpu", about, why[0] == '\0', why};
  add(user, &info);
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  char about[160];
  char needs[160];
  const systole_cpu_kernel *best = systole_cpu_kernel_best();
  (void)snprintf(about, sizeof about, "this CPU, int8 by %s, up to %d threads",
                 best != NULL ? best->name : "nothing", systole_pool_cpus());
  add_row(add, user, "cpu", about,
          best != NULL ? "" : "no memory is left for its self-test");

  const char *why = "";
  needs[0] = '\0';
  if (!systole_kernel_onednn.usable(&systole_kernel_onednn, &why)) {
    (void)snprintf(needs, sizeof needs, "it needs %s", why);
  }
  add_row(add, user, "cpu:onednn-s8s8s32", "this CPU, int8 by oneDNN", needs);
}

static int claims(const char *name) {
  return strcmp(name, "cpu") == 0 || strncmp(name, "cpu:", 4) == 0;
}

static systole_status unknown_kernel(const char *name) {
  char names[256] = "";
  size_t used = 0;
  int count = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count && used < sizeof names; i++) {
    used += (size_t)snprintf(names + used, sizeof names - used, "%scpu:%s",
                             i > 0 ? ", " : "", all[i]->name);
  }
  return systole_fail(
      SYSTOLE_ERR_NOT_FOUND,
      "device %s is not known: \"cpu\" takes the best kernel of this machine, "
      "and these are the others: %s",
      name, names);
}

static systole_status choose_kernel(const systole_cpu_kernel **out, const char *name) {
  if (strcmp(name, "cpu") == 0) {
    *out = systole_cpu_kernel_best();
    if (*out != NULL) return SYSTOLE_OK;
    return systole_fail(
        SYSTOLE_ERR_HOST_MEMORY,
        "no CPU kernel could be tested: no memory is left on this machine");
  }
  *out = systole_cpu_kernel_find(name + strlen("cpu:"));
  if (*out == NULL) return unknown_kernel(name);
  const char *why = "";
  if ((*out)->usable(*out, &why) && systole_cpu_selftest(*out, &why)) return SYSTOLE_OK;
  *out = NULL;
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "device %s needs %s; \"cpu\" takes the best kernel of this machine",
                      name, why);
}

static void close_engine(systole_engine *engine) {
  if (engine == NULL) return;
  systole_energy_meter_close(engine->model);
  systole_energy_meter_close(engine->counters);
  if (engine->room != NULL) engine->kernel->room_free(engine->room);
  free(engine);
}

static systole_status open_engine(systole_engine **out, const char *name,
                                  const systole_device_options *options) {
  *out = NULL;
  const int asked = options != NULL ? options->threads : 0;
  if (asked < 0 || asked > MaxThreads) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%d threads were asked for; give 1 to %d, or 0 for all", asked,
                        (int)MaxThreads);
  }
  const systole_cpu_kernel *kernel = NULL;
  systole_status status = choose_kernel(&kernel, name);
  if (status != SYSTOLE_OK || kernel == NULL) return status;

  systole_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  engine->kernel = kernel;
  engine->threads = asked > 0 ? asked : systole_pool_cpus();
  status = kernel->room_create(&engine->room, kernel, engine->threads);
  if (status != SYSTOLE_OK) goto done;

  systole_energy_meter_options meter = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  meter.threads = engine->threads;
  status = systole_energy_meter_open(&engine->counters, &meter);
  if (status != SYSTOLE_OK) goto done;
  meter.model_only = 1;
  status = systole_energy_meter_open(&engine->model, &meter);
done:
  if (status != SYSTOLE_OK) {
    close_engine(engine);
    engine = NULL;
  }
  *out = engine;
  return status;
}

static systole_status geometry(const systole_engine *engine, systole_geometry *out) {
  (void)engine;
  memset(out, 0, sizeof *out); /* no systolic array */
  return SYSTOLE_OK;
}

static void weights_free(systole_engine_weights *weights) {
  if (weights == NULL) return;
  if (weights->weights != NULL) weights->engine->kernel->weights_free(weights->weights);
  free(weights);
}

static systole_status prepare(systole_engine_weights **out, systole_engine *engine,
                              int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  *out = NULL;
  systole_engine_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->engine = engine;
  weights->n = n;
  weights->k = k;
  weights->requantised = epilogue != NULL && epilogue->multiplier != NULL;
  const systole_status status =
      engine->kernel->prepare(&weights->weights, engine->room, n, k, b, ldb, epilogue);
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

/* Rows of C between two calls of the progress function; whole tasks of the kernels. */
static int64_t progress_rows(const systole_engine_weights *weights) {
  const double macs_per_row = (double)weights->n * (double)weights->k + 1;
  const double rows = (double)ProgressMacs / macs_per_row;
  return rows < 224 ? 224 : rows > 1e9 ? 1000000000 : (int64_t)rows;
}

static systole_status gemm(const systole_engine_weights *weights, int64_t m,
                           const int8_t *a, int64_t lda, void *c, int64_t ldc,
                           systole_stats *stats) {
  systole_engine *engine = weights->engine;
  const systole_cpu_kernel *kernel = engine->kernel;
  const double macs = (double)m * (double)weights->n * (double)weights->k;
  systole_energy_meter *meter =
      macs > (double)ProgressMacs ? engine->counters : engine->model;
  const int64_t step = progress_rows(weights);
  systole_status status = SYSTOLE_OK;

  systole_energy_meter_begin(meter);
  const double start = systole_wall_seconds();
  for (int64_t i = 0; i < m && status == SYSTOLE_OK; i += step) {
    const int64_t rows = m - i < step ? m - i : step;
    const size_t offset =
        (size_t)i * (size_t)ldc * (weights->requantised ? 1 : sizeof(int32_t));
    status = kernel->gemm(weights->weights, engine->room, rows, a + i * lda, lda,
                          (unsigned char *)c + offset, ldc);
    if (i + rows == m || status != SYSTOLE_OK) break;
    systole_energy_meter_poll(meter);
    const uint64_t per_row = (uint64_t)weights->n * (uint64_t)weights->k;
    if (engine->progress != NULL &&
        engine->progress(engine->progress_user, (uint64_t)(i + rows) * per_row,
                         (uint64_t)m * per_row) != 0) {
      status = systole_fail(SYSTOLE_ERR_INTERRUPTED, "stopped after %lld of %lld rows",
                            (long long)i + rows, (long long)m);
    }
  }
  stats->seconds = systole_wall_seconds() - start;
  systole_energy_meter_end(meter, &stats->power_w, &stats->energy_j);
  stats->gops = stats->seconds > 0 ? 2e-9 * macs / stats->seconds : 0;
  stats->kernel = kernel->name;
  return status;
}

static systole_status conv2d(systole_engine *engine, const systole_conv_call *call,
                             systole_stats *stats) {
  systole_energy_meter *meter =
      call->macs > (uint64_t)ProgressMacs ? engine->counters : engine->model;
  systole_cpu_conv by = {.kernel = engine->kernel,
                         .room = engine->room,
                         .threads = engine->threads,
                         .progress = engine->progress,
                         .progress_user = engine->progress_user};
  systole_energy_meter_begin(meter);
  const double start = systole_wall_seconds();
  const systole_status status = systole_cpu_conv2d(call, &by);
  /* As for products, what is done once for all calls with the same weights is left out.
   */
  stats->seconds = systole_wall_seconds() - start - by.prepare_s;
  systole_energy_meter_end(meter, &stats->power_w, &stats->energy_j);
  stats->gops = stats->seconds > 0 ? 2e-9 * (double)call->macs / stats->seconds : 0;
  stats->kernel = by.name;
  return status;
}

static void set_progress(systole_engine *engine, systole_progress progress, void *user) {
  engine->progress = progress;
  engine->progress_user = user;
}

static const struct systole_card_ops *card_ops(const systole_engine *engine,
                                               struct systole_card **card) {
  (void)engine;
  *card = NULL;
  return NULL;
}

/* The widest dot-product instruction of this CPU, whichever kernel computes. */
static const systole_cpu_tile *widest_tile(void) {
  int count = 0;
  const systole_cpu_kernel *const *all = systole_cpu_kernels(&count);
  for (int i = 0; i < count; i++) {
    const systole_cpu_tile *tile = all[i]->tile;
    if (tile != NULL && tile->peak != NULL && tile->supported()) return tile;
  }
  return NULL;
}

static double measured_peak_gops(systole_engine *engine, const char **instruction) {
  const systole_cpu_tile *tile = widest_tile();
  *instruction = "";
  /* No loop here uses AMX, whose limit is several times that of the loops. */
  if (tile == NULL || systole_onednn_has_amx()) return 0;
  if (engine->peak_gops <= 0)
    engine->peak_gops = systole_cpu_peak_gops(tile, engine->threads);
  *instruction = tile->instruction;
  return engine->peak_gops;
}

static double measured_bandwidth_gbs(systole_engine *engine, uint64_t bytes) {
  return systole_cpu_bandwidth_gbs(bytes, engine->threads);
}

const systole_engine_ops systole_engine_cpu = {
    .version = SYSTOLE_ENGINE_VERSION,
    .kind = "cpu",
    .list = list,
    .claims = claims,
    .open = open_engine,
    .close = close_engine,
    .geometry = geometry,
    .prepare = prepare,
    .weights_free = weights_free,
    .gemm = gemm,
    .set_progress = set_progress,
    .card_ops = card_ops,
    .measured_peak_gops = measured_peak_gops,
    .conv2d = conv2d,
    .kernel_names = 1,
    .measured_bandwidth_gbs = measured_bandwidth_gbs,
};
