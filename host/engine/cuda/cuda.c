/* NVIDIA GPUs as an engine: "cuda" (int8), "cuda-f32", "cuda-tf32", "cuda-bf16" and
 * "cuda-fp16", each with the number of a GPU or a part of its name behind a colon.
 *
 * Weights are copied to the device when they are prepared; a product copies A there and C
 * back. `seconds` is end to end as the caller sees it, without the search for the fastest
 * of cuBLASLt's ways that the first product of a size makes; compute_s and transfer_s are
 * the device's own, by its events. Bias and requantisation are done here, on the CPU.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "energy/energy.h"
#include "engine/engine.h"
#include "engine/epilogue.h"
#include "product.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

struct systole_engine {
  systole_cuda_room room;
  systole_energy_meter *meter; /* NULL: nothing tells what it draws */
  systole_progress progress;
  void *progress_user;
};

struct systole_engine_weights {
  systole_engine *engine;
  systole_cuda_weights weights;
  systole_epilogue epilogue; /* int8 */
  void *epilogue_memory;
  float *bias;   /* floats; NULL: none */
  double last_s; /* of the last product with them; 0: none yet */
  int64_t last_m;
};

/* ---- names ---------------------------------------------------------------------------
 */

static int claims(const char *name) {
  const systole_format format = systole_device_name_format(name);
  const size_t suffix =
      format == SYSTOLE_FORMAT_S8 ? 0 : 1 + strlen(systole_format_name(format));
  return strncmp(name, "cuda", 4) == 0 && strcspn(name, ":") == 4 + suffix;
}

static void row_name(char *out, size_t bytes, systole_format format, int index) {
  const int s8 = format == SYSTOLE_FORMAT_S8;
  char which[16] = "";
  if (index > 0) (void)snprintf(which, sizeof which, ":%d", index);
  (void)snprintf(out, bytes, "cuda%s%s%s", s8 ? "" : "-",
                 s8 ? "" : systole_format_name(format), which);
}

/* "it needs compute capability 8.0 and has 7.5", or "". */
static void say_capability(char *out, size_t bytes, const systole_cuda_device *device,
                           systole_format format) {
  int needed = 0;
  out[0] = '\0';
  if (systole_cuda_multiplies(device, format, &needed)) return;
  (void)snprintf(out, bytes,
                 "%s in tensor cores takes compute capability %d.%d; %s has %d.%d",
                 systole_format_name(format), needed / 10, needed % 10, device->name,
                 device->capability / 10, device->capability % 10);
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  systole_cuda_device devices[SystoleCudaDevices];
  const char *why = "";
  const int count = systole_cuda_devices(devices, &why);
  if (count == 0) {
    const systole_device_info info = {"cuda", "gpu", "an NVIDIA GPU through cuBLASLt", 0,
                                      why};
    add(user, &info);
  }
  for (int i = 0; i < count; i++) {
    const systole_cuda_device *d = &devices[i];
    for (int f = 0; f < SYSTOLE_FORMATS; f++) {
      char name[32], about[224], reason[224];
      row_name(name, sizeof name, (systole_format)f, d->index);
      (void)snprintf(about, sizeof about,
                     "%s, %s, %d multiprocessors, %llu MiB, compute capability %d.%d",
                     d->name, systole_format_name((systole_format)f), d->processors,
                     (unsigned long long)(d->memory_bytes >> 20), d->capability / 10,
                     d->capability % 10);
      say_capability(reason, sizeof reason, d, (systole_format)f);
      const systole_device_info info = {name, "gpu", about, reason[0] == '\0', reason};
      add(user, &info);
    }
  }
}

/* ---- opening -------------------------------------------------------------------------
 */

static void close_engine(systole_engine *engine) {
  if (engine == NULL) return;
  systole_energy_meter_close(engine->meter);
  systole_cuda_room_close(&engine->room);
  free(engine);
}

static systole_status open_engine(systole_engine **out, const char *name,
                                  const systole_device_options *options) {
  (void)options; /* all of them are for simulated devices and CPU threads */
  *out = NULL;
  const char *colon = strchr(name, ':');
  const systole_format format = systole_device_name_format(name);
  systole_cuda_device device;
  systole_status status = systole_cuda_choose(&device, colon != NULL ? colon + 1 : NULL);
  if (status != SYSTOLE_OK) return status;
  char reason[224];
  say_capability(reason, sizeof reason, &device, format);
  if (reason[0] != '\0') return systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", reason);
  systole_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  status = systole_cuda_room_open(&engine->room, &device, format);
  if (status == SYSTOLE_OK) status = systole_cuda_selftest(&engine->room);
  if (status != SYSTOLE_OK) {
    close_engine(engine);
    return status;
  }
  systole_energy_meter_options meter = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  meter.of = SYSTOLE_ENERGY_OF_GPU;
  meter.address = engine->room.device.address;
  /* Without a sensor there is no figure, which is no failure. */
  if (systole_energy_meter_open(&engine->meter, &meter) != SYSTOLE_OK) {
    engine->meter = NULL;
  }
  *out = engine;
  return SYSTOLE_OK;
}

static systole_status geometry(const systole_engine *engine, systole_geometry *out) {
  (void)engine;
  memset(out, 0, sizeof *out); /* no systolic array of ours */
  return SYSTOLE_OK;
}

static systole_format format_of(const systole_engine *engine) {
  return engine->room.format;
}

/* ---- weights -------------------------------------------------------------------------
 */

static void weights_free(systole_engine_weights *weights) {
  if (weights == NULL) return;
  systole_cuda_weights_free(&weights->weights);
  systole_release(weights->bias);
  free(weights->epilogue_memory);
  free(weights);
}

static systole_status make_weights(systole_engine_weights **out, systole_engine *engine,
                                   int64_t n, int64_t k, const void *b, int64_t ldb,
                                   const systole_epilogue *epilogue, const float *bias) {
  *out = NULL;
  systole_engine_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->engine = engine;
  systole_status status =
      systole_epilogue_copy(&weights->epilogue, &weights->epilogue_memory, epilogue, n);
  if (status == SYSTOLE_OK && bias != NULL) {
    status =
        systole_allocate((void **)&weights->bias, (uint64_t)n, sizeof *bias, "a bias");
    if (status == SYSTOLE_OK) memcpy(weights->bias, bias, (size_t)n * sizeof *bias);
  }
  if (status == SYSTOLE_OK) {
    status = systole_cuda_weights_make(&weights->weights, &engine->room, n, k, b, ldb);
  }
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

static systole_status prepare(systole_engine_weights **out, systole_engine *engine,
                              int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  return make_weights(out, engine, n, k, b, ldb, epilogue, NULL);
}

static systole_status prepare_f32(systole_engine_weights **out, systole_engine *engine,
                                  int64_t n, int64_t k, const float *b, int64_t ldb,
                                  const float *bias) {
  return make_weights(out, engine, n, k, b, ldb, NULL, bias);
}

/* ---- products ------------------------------------------------------------------------
 */

typedef struct destination {
  const systole_engine_weights *weights;
  systole_energy_meter *meter; /* of this product; NULL: none */
  int64_t m;
  void *c;
  int64_t ldc;
} destination;

static void finish_row(const destination *to, int64_t i, const void *sums) {
  const systole_engine_weights *w = to->weights;
  const int64_t n = w->weights.n;
  if (w->engine->room.format != SYSTOLE_FORMAT_S8) {
    float *row = (float *)to->c + i * to->ldc;
    memcpy(row, sums, (size_t)n * sizeof *row);
    for (int64_t j = 0; j < n && w->bias != NULL; j++) row[j] += w->bias[j];
  } else if (w->epilogue.multiplier != NULL) {
    systole_epilogue_row((int8_t *)to->c + i * to->ldc, sums, 0, n, &w->epilogue);
  } else {
    int32_t *row = (int32_t *)to->c + i * to->ldc;
    const int32_t *bias = w->epilogue.bias;
    memcpy(row, sums, (size_t)n * sizeof *row);
    for (int64_t j = 0; j < n && bias != NULL; j++) {
      row[j] = (int32_t)((uint32_t)row[j] + (uint32_t)bias[j]);
    }
  }
}

static int finish_rows(void *user, int64_t first, int64_t rows, const void *sums,
                       int64_t ld) {
  const destination *to = user;
  const systole_engine *engine = to->weights->engine;
  for (int64_t i = 0; i < rows; i++) {
    finish_row(to, first + i, (const int32_t *)sums + i * ld);
  }
  if (first + rows == to->m) return 0;
  if (to->meter != NULL) systole_energy_meter_poll(to->meter);
  const uint64_t per_row =
      (uint64_t)to->weights->weights.n * (uint64_t)to->weights->weights.k;
  return engine->progress != NULL &&
         engine->progress(engine->progress_user, (uint64_t)(first + rows) * per_row,
                          (uint64_t)to->m * per_row) != 0;
}

static systole_status multiply(systole_engine_weights *weights, int64_t m, const void *a,
                               int64_t lda, void *c, int64_t ldc, systole_stats *stats) {
  static const char *const kernels[SYSTOLE_FORMATS] = {
      "cublaslt-int8", "cublaslt-f32", "cublaslt-tf32", "cublaslt-bf16", "cublaslt-fp16"};
  systole_engine *engine = weights->engine;
  destination to = {.weights = weights, .m = m, .c = c, .ldc = ldc};
  systole_cuda_times times = {0};
  /* Asking the sensor takes milliseconds and answers for long spans only: a product that
   * took less the last time is left alone. */
  if (engine->meter != NULL && weights->last_m == m &&
      weights->last_s >= systole_energy_meter_shortest_s(engine->meter)) {
    to.meter = engine->meter;
    systole_energy_meter_begin(to.meter);
  }
  const double start = systole_wall_seconds();
  systole_status status =
      systole_cuda_multiply(&weights->weights, m, a, lda, finish_rows, &to, &times);
  const double whole_s = systole_wall_seconds() - start;
  if (to.meter != NULL) {
    systole_energy_meter_end(to.meter, &stats->power_w, &stats->energy_j);
  }
  if (status == SYSTOLE_ERR_INTERRUPTED) {
    status = systole_fail(status, "stopped in a product of %lld rows", (long long)m);
  }
  stats->seconds = whole_s - times.plan_s;
  stats->transfer_s = times.transfer_s;
  stats->compute_s = times.compute_s;
  const double host_s = whole_s - times.transfer_s - times.compute_s;
  stats->host_share = whole_s > 0 && host_s > 0 ? host_s / whole_s : 0;
  const double macs = (double)m * (double)weights->weights.n * (double)weights->weights.k;
  stats->gops = stats->seconds > 0 ? 2e-9 * macs / stats->seconds : 0;
  stats->kernel = kernels[engine->room.format];
  weights->last_m = m;
  weights->last_s = status == SYSTOLE_OK ? stats->seconds : 0;
  return status;
}

static systole_status gemm(const systole_engine_weights *weights, int64_t m,
                           const int8_t *a, int64_t lda, void *c, int64_t ldc,
                           systole_stats *stats) {
  /* What changes is how a product of that size is made, and the buffers of the device. */
  return multiply((systole_engine_weights *)(uintptr_t)weights, m, a, lda, c, ldc, stats);
}

static systole_status gemm_f32(const systole_engine_weights *weights, int64_t m,
                               const float *a, int64_t lda, float *c, int64_t ldc,
                               systole_stats *stats) {
  return multiply((systole_engine_weights *)(uintptr_t)weights, m, a, lda, c, ldc, stats);
}

static void set_progress(systole_engine *engine, systole_progress progress, void *user) {
  engine->progress = progress;
  engine->progress_user = user;
}

static void draws(const systole_engine *engine, systole_energy_of *of,
                  char address[SYSTOLE_ENERGY_ADDRESS]) {
  *of = SYSTOLE_ENERGY_OF_GPU;
  (void)snprintf(address, SYSTOLE_ENERGY_ADDRESS, "%s", engine->room.device.address);
}

const systole_engine_ops systole_engine_cuda = {
    .version = SYSTOLE_ENGINE_VERSION,
    .kind = "gpu",
    .list = list,
    .claims = claims,
    .open = open_engine,
    .close = close_engine,
    .geometry = geometry,
    .prepare = prepare,
    .weights_free = weights_free,
    .gemm = gemm,
    .set_progress = set_progress,
    .format = format_of,
    .prepare_f32 = prepare_f32,
    .gemm_f32 = gemm_f32,
    .draws = draws,
};
