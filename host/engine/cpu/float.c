/* The CPU's float units as an engine: "cpu-f32", "cpu-bf16", and with a library's name
 * behind a colon, "cpu-f32:openblas". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bandwidth.h"
#include "energy/energy.h"
#include "engine/engine.h"
#include "engine/format.h"
#include "float_kernel.h"
#include "onednn.h"
#include "pool.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  /* MACs between two calls of the progress function: 0.1 s at 20 GMAC/s. */
  ProgressMacs = INT32_MAX,
  MaxThreads = 4096,
};

struct systole_engine {
  const systole_float_kernel *kernel;
  systole_pool *pool; /* NULL with one thread */
  int threads;
  systole_energy_meter *counters; /* for spans that counters can resolve */
  systole_energy_meter *model;
  systole_progress progress;
  void *progress_user;
  double peak_gops; /* 0: not yet measured */
  const char *peak_instruction;
};

struct systole_engine_weights {
  systole_engine *engine;
  systole_float_weights *weights;
  int64_t n, k;
  float *bias; /* NULL: none */
};

static const systole_format formats[] = {SYSTOLE_FORMAT_F32, SYSTOLE_FORMAT_BF16};
enum { Formats = sizeof formats / sizeof formats[0] };

/* ---- names ---------------------------------------------------------------------------
 */

static int claims(const char *name) {
  if (strncmp(name, "cpu-", 4) != 0) return 0;
  const systole_format format = systole_device_name_format(name);
  const size_t head = 4 + strlen(systole_format_name(format));
  if (format != SYSTOLE_FORMAT_F32 && format != SYSTOLE_FORMAT_BF16) return 0;
  return strcspn(name, ":") == head;
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  for (int i = 0; i < Formats; i++) {
    char name[16], about[160], reason[192] = "";
    const char *why = "";
    const systole_float_kernel *kernel =
        systole_float_kernel_choose(formats[i], NULL, &why);
    (void)snprintf(name, sizeof name, "cpu-%s", systole_format_name(formats[i]));
    (void)snprintf(about, sizeof about, "this CPU, %s by %s, up to %d threads",
                   formats[i] == SYSTOLE_FORMAT_F32 ? "float32" : "bfloat16",
                   kernel != NULL ? kernel->name : "a library", systole_pool_cpus());
    if (kernel == NULL) (void)snprintf(reason, sizeof reason, "it needs %s", why);
    const systole_device_info info = {name, "cpu", about, kernel != NULL, reason};
    add(user, &info);
  }
}

/* ---- opening -------------------------------------------------------------------------
 */

static systole_status unknown_kernel(const char *name, systole_format format) {
  char names[128] = "";
  size_t used = 0;
  int count = 0;
  const systole_float_kernel *const *all = systole_float_kernels(&count);
  for (int i = 0; i < count && used < sizeof names; i++) {
    if (all[i]->format != format) continue;
    used +=
        (size_t)snprintf(names + used, sizeof names - used, "%scpu-%s:%s",
                         used > 0 ? ", " : "", systole_format_name(format), all[i]->name);
  }
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "device %s is not known: \"cpu-%s\" takes the best library here, "
                      "and these can be named: %s",
                      name, systole_format_name(format), names);
}

static int known(systole_format format, const char *kernel) {
  int count = 0;
  const systole_float_kernel *const *all = systole_float_kernels(&count);
  for (int i = 0; i < count; i++) {
    if (all[i]->format == format && strcmp(all[i]->name, kernel) == 0) return 1;
  }
  return 0;
}

static void close_engine(systole_engine *engine) {
  if (engine == NULL) return;
  systole_energy_meter_close(engine->model);
  systole_energy_meter_close(engine->counters);
  systole_pool_free(engine->pool);
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
  const systole_format format = systole_device_name_format(name);
  const char *colon = strchr(name, ':');
  if (colon != NULL && !known(format, colon + 1)) return unknown_kernel(name, format);
  const char *why = "";
  const systole_float_kernel *kernel =
      systole_float_kernel_choose(format, colon != NULL ? colon + 1 : NULL, &why);
  if (kernel == NULL) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "device %s needs %s", name, why);
  }

  systole_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  engine->kernel = kernel;
  engine->threads = asked > 0 ? asked : systole_pool_cpus();
  systole_energy_meter_options meter = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  meter.threads = engine->threads;
  systole_status status = SYSTOLE_OK;
  if (engine->threads > 1) status = systole_pool_create(&engine->pool, engine->threads);
  if (status == SYSTOLE_OK) status = systole_energy_meter_open(&engine->counters, &meter);
  meter.model_only = 1;
  if (status == SYSTOLE_OK) status = systole_energy_meter_open(&engine->model, &meter);
  if (status != SYSTOLE_OK) {
    close_engine(engine);
    return status;
  }
  *out = engine;
  return SYSTOLE_OK;
}

static systole_status geometry(const systole_engine *engine, systole_geometry *out) {
  (void)engine;
  memset(out, 0, sizeof *out); /* no systolic array */
  return SYSTOLE_OK;
}

static systole_format format_of(const systole_engine *engine) {
  return engine->kernel->format;
}

/* ---- products ------------------------------------------------------------------------
 */

static void weights_free(systole_engine_weights *weights) {
  if (weights == NULL) return;
  if (weights->weights != NULL) weights->engine->kernel->weights_free(weights->weights);
  systole_release(weights->bias);
  free(weights);
}

/* rows x columns in the kernel's format, without gaps; freed with systole_release. */
static systole_status in_format(void **out, const systole_engine *engine,
                                const float *from, int64_t ld, int64_t rows,
                                int64_t columns) {
  const systole_format format = engine->kernel->format;
  const uint64_t element = format == SYSTOLE_FORMAT_F32 ? 4 : 2;
  const systole_status status =
      systole_allocate(out, (uint64_t)rows * (uint64_t)columns, element, "operands");
  if (status != SYSTOLE_OK) return status;
  if (format == SYSTOLE_FORMAT_F32) {
    for (int64_t i = 0; i < rows; i++) {
      memcpy((float *)*out + i * columns, from + i * ld, (size_t)columns * sizeof *from);
    }
  } else {
    systole_format_round(*out, columns, format, from, ld, rows, columns);
  }
  return SYSTOLE_OK;
}

static systole_status prepare_f32(systole_engine_weights **out, systole_engine *engine,
                                  int64_t n, int64_t k, const float *b, int64_t ldb,
                                  const float *bias) {
  *out = NULL;
  void *packed = NULL;
  systole_engine_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->engine = engine;
  weights->n = n;
  weights->k = k;
  systole_status status = SYSTOLE_OK;
  if (bias != NULL) {
    status =
        systole_allocate((void **)&weights->bias, (uint64_t)n, sizeof *bias, "a bias");
    if (status == SYSTOLE_OK) memcpy(weights->bias, bias, (size_t)n * sizeof *bias);
  }
  /* The kernel keeps its own copy. */
  if (status == SYSTOLE_OK) status = in_format(&packed, engine, b, ldb, k, n);
  if (status == SYSTOLE_OK) {
    status = engine->kernel->prepare(&weights->weights, engine->pool, engine->threads, n,
                                     k, packed);
  }
  systole_release(packed);
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

/* Rows of C between two calls of the progress function. */
static int64_t progress_rows(const systole_engine_weights *weights) {
  const double macs_per_row = (double)weights->n * (double)weights->k + 1;
  const double rows = (double)ProgressMacs / macs_per_row;
  return rows < 1024 ? 1024 : rows > 1e9 ? 1000000000 : (int64_t)rows;
}

static systole_status multiply(const systole_engine_weights *weights, int64_t m,
                               const void *a, int64_t lda, float *c, int64_t ldc,
                               systole_energy_meter *meter, const char **name,
                               double *prepare_s) {
  systole_engine *engine = weights->engine;
  const size_t element = engine->kernel->format == SYSTOLE_FORMAT_F32 ? 4 : 2;
  const int64_t step = progress_rows(weights);
  for (int64_t i = 0; i < m; i += step) {
    const int64_t rows = m - i < step ? m - i : step;
    const unsigned char *from =
        (const unsigned char *)a + (size_t)i * (size_t)lda * element;
    const systole_status status = engine->kernel->gemm(weights->weights, rows, from, lda,
                                                       c + i * ldc, ldc, name, prepare_s);
    if (status != SYSTOLE_OK) return status;
    for (int64_t r = i; r < i + rows && weights->bias != NULL; r++) {
      for (int64_t j = 0; j < weights->n; j++) c[r * ldc + j] += weights->bias[j];
    }
    if (i + rows == m) break;
    systole_energy_meter_poll(meter);
    const uint64_t per_row = (uint64_t)weights->n * (uint64_t)weights->k;
    if (engine->progress != NULL &&
        engine->progress(engine->progress_user, (uint64_t)(i + rows) * per_row,
                         (uint64_t)m * per_row) != 0) {
      return systole_fail(SYSTOLE_ERR_INTERRUPTED, "stopped after %lld of %lld rows",
                          (long long)(i + rows), (long long)m);
    }
  }
  return SYSTOLE_OK;
}

static systole_status gemm_f32(const systole_engine_weights *weights, int64_t m,
                               const float *a, int64_t lda, float *c, int64_t ldc,
                               systole_stats *stats) {
  systole_engine *engine = weights->engine;
  const double macs = (double)m * (double)weights->n * (double)weights->k;
  systole_energy_meter *meter =
      macs > (double)ProgressMacs ? engine->counters : engine->model;
  const double start = systole_wall_seconds();
  void *rounded = NULL;
  systole_status status = SYSTOLE_OK;
  if (engine->kernel->format != SYSTOLE_FORMAT_F32) {
    status = in_format(&rounded, engine, a, lda, m, weights->k);
    if (status != SYSTOLE_OK) return status;
    lda = weights->k;
  }
  const double rounding_s = systole_wall_seconds() - start;
  double prepare_s = 0;
  const char *name = engine->kernel->name;
  systole_energy_meter_begin(meter);
  status = multiply(weights, m, rounded != NULL ? rounded : a, lda, c, ldc, meter, &name,
                    &prepare_s);
  const double whole_s = systole_wall_seconds() - start;
  systole_energy_meter_end(meter, &stats->power_w, &stats->energy_j);
  systole_release(rounded);
  stats->seconds = whole_s - rounding_s - prepare_s;
  stats->host_share = whole_s > 0 ? (rounding_s + prepare_s) / whole_s : 0;
  stats->gops = stats->seconds > 0 ? 2e-9 * macs / stats->seconds : 0;
  stats->kernel = name;
  return status;
}

static void set_progress(systole_engine *engine, systole_progress progress, void *user) {
  engine->progress = progress;
  engine->progress_user = user;
}

static double measured_peak_gops(systole_engine *engine, const char **instruction) {
  *instruction = "";
  /* AMX does several times what this loop does, and oneDNN uses it. */
  if (engine->kernel->format == SYSTOLE_FORMAT_BF16 && systole_onednn_has_amx()) return 0;
  if (engine->peak_gops <= 0) {
    engine->peak_gops = systole_float_peak(engine->kernel->format, engine->threads,
                                           &engine->peak_instruction);
  }
  if (engine->peak_gops > 0) *instruction = engine->peak_instruction;
  return engine->peak_gops;
}

static double measured_bandwidth_gbs(systole_engine *engine, uint64_t bytes) {
  return systole_cpu_bandwidth_gbs(bytes, engine->threads);
}

const systole_engine_ops systole_engine_cpu_float = {
    .version = SYSTOLE_ENGINE_VERSION,
    .kind = "cpu",
    .list = list,
    .claims = claims,
    .open = open_engine,
    .close = close_engine,
    .geometry = geometry,
    .weights_free = weights_free,
    .set_progress = set_progress,
    .measured_peak_gops = measured_peak_gops,
    .kernel_names = 1,
    .measured_bandwidth_gbs = measured_bandwidth_gbs,
    .format = format_of,
    .prepare_f32 = prepare_f32,
    .gemm_f32 = gemm_f32,
};
