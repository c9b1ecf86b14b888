#include <stdlib.h>
#include <string.h>

#include "energy/energy.h"
#include "engine/epilogue.h"
#include "library/check.h"
#include "library/device.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

struct systole_weights {
  systole_device *device;
  int64_t n, k;
  systole_epilogue epilogue;
  void *epilogue_memory;
  systole_engine_weights *engine_weights; /* NULL when N or K is 0: no device is needed */
  systole_format format;
  float *bias; /* of float weights, for K = 0; NULL: none */
};

/* An operand as it is checked: where a device looks at none, any will do. */
static const void *operand(const void *given, int no_data) {
  static const char nothing;
  return no_data ? &nothing : given;
}

/* K = 0: every sum is empty, and the epilogue works on zeros. */
static void fill_empty_sums(const systole_weights *weights, int64_t m, void *c,
                            int64_t ldc) {
  const systole_epilogue *e = &weights->epilogue;
  static const int32_t zeros[256];
  for (int64_t i = 0; i < m; i++) {
    if (e->multiplier == NULL) {
      int32_t *row = (int32_t *)c + i * ldc;
      for (int64_t j = 0; j < weights->n; j++) row[j] = e->bias == NULL ? 0 : e->bias[j];
      continue;
    }
    for (int64_t j = 0; j < weights->n; j += 256) {
      int64_t count = weights->n - j < 256 ? weights->n - j : 256;
      systole_epilogue_row((int8_t *)c + i * ldc + j, zeros, j, count, e);
    }
  }
}

/* What the caller sees beside what the engine has filled in. */
static void finish_stats(systole_stats *stats, uint64_t macs, double wall_s,
                         double cpu_s) {
  stats->macs = macs;
  stats->wall_s = wall_s;
  stats->cpu_s = cpu_s;
  if (stats->seconds <= 0.0) stats->seconds = wall_s;
  if (stats->gops <= 0.0 && stats->seconds > 0.0) {
    stats->gops = 2e-9 * (double)macs / stats->seconds;
  }
}

/* Around a product, for devices whose energy is modelled where their engine tells none.
 */
static void begin_energy(const systole_device *device) {
  if (device->model != NULL) systole_energy_meter_begin(device->model);
}

static void end_energy(const systole_device *device, systole_stats *stats) {
  systole_bounds power, energy;
  if (device->model == NULL) return;
  systole_energy_meter_end(device->model, &power, &energy);
  if (stats->energy_j.kind != SYSTOLE_KIND_UNKNOWN) return;
  stats->power_w = power;
  stats->energy_j = energy;
}

static systole_status prepare(systole_weights **out, systole_device *device, int64_t n,
                              int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_weights), "weights");
  if (status != SYSTOLE_OK) return status;
  systole_weights *weights = memory;
  weights->device = device;
  weights->n = n;
  weights->k = k;
  weights->format = SYSTOLE_FORMAT_S8;
  status =
      systole_epilogue_copy(&weights->epilogue, &weights->epilogue_memory, epilogue, n);
  if (status == SYSTOLE_OK && n > 0 && k > 0) {
    status = device->ops->prepare(&weights->engine_weights, device->engine, n, k, b, ldb,
                                  epilogue);
  }
  if (status == SYSTOLE_OK) {
    *out = weights;
  } else {
    systole_weights_free(weights);
  }
  return status;
}

/* Arguments are right. *stats is filled. */
static systole_status multiply(const systole_weights *weights, int64_t m, const int8_t *a,
                               int64_t lda, void *c, int64_t ldc, systole_stats *stats) {
  double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  systole_status status = SYSTOLE_OK;
  if (m > 0 && weights->engine_weights != NULL) {
    begin_energy(weights->device);
    status =
        weights->device->ops->gemm(weights->engine_weights, m, a, lda, c, ldc, stats);
    end_energy(weights->device, stats);
  } else if (m > 0 && weights->n > 0 && !systole_device_timing_only(weights->device)) {
    fill_empty_sums(weights, m, c, ldc);
  }
  finish_stats(stats, (uint64_t)m * (uint64_t)weights->n * (uint64_t)weights->k,
               systole_wall_seconds() - wall, systole_cpu_seconds() - cpu);
  return status;
}

/* A device, and one of the right kind of numbers. */
static systole_status need_device(const systole_device *device, int floats) {
  if (device == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the device is NULL; open one with systole_device_open");
  }
  const systole_format format = systole_device_format(device);
  if ((format != SYSTOLE_FORMAT_S8) == floats) return SYSTOLE_OK;
  char other[64];
  const int known =
      systole_device_in_format(other, sizeof other, device->name,
                               floats ? SYSTOLE_FORMAT_F32 : SYSTOLE_FORMAT_S8) == 0;
  return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                      "%s multiplies %s, and these operands are %s%s%s", device->name,
                      systole_format_name(format), floats ? "float32" : "int8",
                      known ? "; for those there is " : "", known ? other : "");
}

systole_status systole_gemm_s8(systole_device *device, int64_t m, int64_t n, int64_t k,
                               const int8_t *a, int64_t lda, const int8_t *b, int64_t ldb,
                               int32_t *c, int64_t ldc, systole_stats *stats) {
  systole_stats local;
  if (stats == NULL) stats = &local;
  memset(stats, 0, sizeof *stats);
  double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  const int no_data = systole_device_timing_only(device);
  systole_status status = need_device(device, 0);
  if (status == SYSTOLE_OK) status = systole_check_size("M", m);
  if (status == SYSTOLE_OK) status = systole_check_size("N", n);
  if (status == SYSTOLE_OK) status = systole_check_size("K", k);
  if (status == SYSTOLE_OK) status = systole_check_product(m, n, k);
  if (status == SYSTOLE_OK)
    status = systole_check_matrix("A", operand(a, no_data), m, k, "lda", lda, 1);
  if (status == SYSTOLE_OK)
    status = systole_check_matrix("B", operand(b, no_data), k, n, "ldb", ldb, 1);
  if (status == SYSTOLE_OK)
    status = systole_check_matrix("C", operand(c, no_data), m, n, "ldc", ldc, 4);
  if (status != SYSTOLE_OK || m == 0 || n == 0) return status;

  systole_weights *weights = NULL;
  status = prepare(&weights, device, n, k, b, ldb, NULL);
  if (status != SYSTOLE_OK) return status;
  double prepared = systole_wall_seconds() - wall;
  status = multiply(weights, m, a, lda, c, ldc, stats);
  systole_weights_free(weights);
  double whole = systole_wall_seconds() - wall;
  if (whole > 0.0) {
    stats->host_share = (prepared + stats->host_share * stats->wall_s) / whole;
  }
  stats->wall_s = whole;
  stats->cpu_s = systole_cpu_seconds() - cpu;
  return status;
}

systole_status systole_weights_prepare(systole_weights **out, systole_device *device,
                                       int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                                       const systole_epilogue *epilogue) {
  if (out == NULL)
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "there is no place for weights");
  *out = NULL;
  const int no_data = systole_device_timing_only(device);
  systole_status status = need_device(device, 0);
  if (status == SYSTOLE_OK) status = systole_check_size("N", n);
  if (status == SYSTOLE_OK) status = systole_check_size("K", k);
  if (status == SYSTOLE_OK)
    status = systole_check_matrix("B", operand(b, no_data), k, n, "ldb", ldb, 1);
  if (status == SYSTOLE_OK) status = systole_check_epilogue(epilogue, n);
  return status == SYSTOLE_OK ? prepare(out, device, n, k, b, ldb, epilogue) : status;
}

void systole_weights_free(systole_weights *weights) {
  if (weights == NULL) return;
  weights->device->ops->weights_free(weights->engine_weights);
  free(weights->epilogue_memory);
  systole_release(weights->bias);
  systole_release(weights);
}

systole_status systole_gemm_s8_prepared(const systole_weights *weights, int64_t m,
                                        const int8_t *a, int64_t lda, void *c,
                                        int64_t ldc, systole_stats *stats) {
  systole_stats local;
  if (stats == NULL) stats = &local;
  memset(stats, 0, sizeof *stats);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the weights are NULL; make some with systole_weights_prepare");
  }
  if (weights->format != SYSTOLE_FORMAT_S8) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "these weights are %s; multiply them with "
                        "systole_gemm_f32_prepared",
                        systole_format_name(weights->format));
  }
  int element = weights->epilogue.multiplier != NULL ? 1 : 4;
  const int no_data = systole_device_timing_only(weights->device);
  systole_status status = systole_check_size("M", m);
  if (status == SYSTOLE_OK) status = systole_check_product(m, weights->n, weights->k);
  if (status == SYSTOLE_OK) {
    status = systole_check_matrix("A", operand(a, no_data), m, weights->k, "lda", lda, 1);
  }
  if (status == SYSTOLE_OK) {
    status = systole_check_matrix("C", operand(c, no_data), m, weights->n, "ldc", ldc,
                                  element);
  }
  return status == SYSTOLE_OK ? multiply(weights, m, a, lda, c, ldc, stats) : status;
}

/* ---- float formats -------------------------------------------------------------------
 */

systole_format systole_weights_format(const systole_weights *weights) {
  return weights == NULL ? SYSTOLE_FORMAT_S8 : weights->format;
}

static systole_status prepare_f32(systole_weights **out, systole_device *device,
                                  int64_t n, int64_t k, const float *b, int64_t ldb,
                                  const float *bias) {
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_weights), "weights");
  if (status != SYSTOLE_OK) return status;
  systole_weights *weights = memory;
  weights->device = device;
  weights->n = n;
  weights->k = k;
  weights->format = systole_device_format(device);
  if (bias != NULL && n > 0) {
    status = systole_allocate((void **)&weights->bias, (uint64_t)n, sizeof *bias, "bias");
    if (status == SYSTOLE_OK) memcpy(weights->bias, bias, (size_t)n * sizeof *bias);
  }
  if (status == SYSTOLE_OK && n > 0 && k > 0) {
    status = device->ops->prepare_f32(&weights->engine_weights, device->engine, n, k, b,
                                      ldb, weights->bias);
  }
  if (status == SYSTOLE_OK) {
    *out = weights;
  } else {
    systole_weights_free(weights);
  }
  return status;
}

static systole_status multiply_f32(const systole_weights *weights, int64_t m,
                                   const float *a, int64_t lda, float *c, int64_t ldc,
                                   systole_stats *stats) {
  const double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  systole_status status = SYSTOLE_OK;
  if (m > 0 && weights->engine_weights != NULL) {
    begin_energy(weights->device);
    status =
        weights->device->ops->gemm_f32(weights->engine_weights, m, a, lda, c, ldc, stats);
    end_energy(weights->device, stats);
  } else {
    for (int64_t i = 0; i < m; i++) { /* K = 0: every sum is empty */
      for (int64_t j = 0; j < weights->n; j++) {
        c[i * ldc + j] = weights->bias == NULL ? 0.0F : weights->bias[j];
      }
    }
  }
  finish_stats(stats, (uint64_t)m * (uint64_t)weights->n * (uint64_t)weights->k,
               systole_wall_seconds() - wall, systole_cpu_seconds() - cpu);
  return status;
}

systole_status systole_weights_prepare_f32(systole_weights **out, systole_device *device,
                                           int64_t n, int64_t k, const float *b,
                                           int64_t ldb, const float *bias) {
  if (out == NULL)
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "there is no place for weights");
  *out = NULL;
  systole_status status = need_device(device, 1);
  if (status == SYSTOLE_OK) status = systole_check_size("N", n);
  if (status == SYSTOLE_OK) status = systole_check_size("K", k);
  if (status == SYSTOLE_OK) status = systole_check_matrix("B", b, k, n, "ldb", ldb, 4);
  return status == SYSTOLE_OK ? prepare_f32(out, device, n, k, b, ldb, bias) : status;
}

systole_status systole_gemm_f32_prepared(const systole_weights *weights, int64_t m,
                                         const float *a, int64_t lda, float *c,
                                         int64_t ldc, systole_stats *stats) {
  systole_stats local;
  if (stats == NULL) stats = &local;
  memset(stats, 0, sizeof *stats);
  if (weights == NULL) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "the weights are NULL; make some with systole_weights_prepare_f32");
  }
  if (weights->format == SYSTOLE_FORMAT_S8) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "these weights are int8; multiply them with systole_gemm_s8_prepared");
  }
  systole_status status = systole_check_size("M", m);
  if (status == SYSTOLE_OK) status = systole_check_product(m, weights->n, weights->k);
  if (status == SYSTOLE_OK) {
    status = systole_check_matrix("A", a, m, weights->k, "lda", lda, 4);
  }
  if (status == SYSTOLE_OK) {
    status = systole_check_matrix("C", c, m, weights->n, "ldc", ldc, 4);
  }
  return status == SYSTOLE_OK ? multiply_f32(weights, m, a, lda, c, ldc, stats) : status;
}

systole_status systole_gemm_f32(systole_device *device, int64_t m, int64_t n, int64_t k,
                                const float *a, int64_t lda, const float *b, int64_t ldb,
                                float *c, int64_t ldc, systole_stats *stats) {
  systole_stats local;
  if (stats == NULL) stats = &local;
  memset(stats, 0, sizeof *stats);
  const double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  systole_status status = systole_check_size("M", m);
  systole_weights *weights = NULL;
  if (status == SYSTOLE_OK) {
    status = systole_weights_prepare_f32(&weights, device, n, k, b, ldb, NULL);
  }
  if (status != SYSTOLE_OK) return status;
  const double prepared = systole_wall_seconds() - wall;
  status = systole_gemm_f32_prepared(weights, m, a, lda, c, ldc, stats);
  systole_weights_free(weights);
  const double whole = systole_wall_seconds() - wall;
  if (whole > 0.0) {
    stats->host_share = (prepared + stats->host_share * stats->wall_s) / whole;
  }
  stats->wall_s = whole;
  stats->cpu_s = systole_cpu_seconds() - cpu;
  return status;
}
