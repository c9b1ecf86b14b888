/* oneDNN is exact only by conditions, so it stands behind a guard and behind the
 * self-test:
 *   - below AVX512-VNNI all its int8 paths add pairs of products in 16 bits and saturate;
 *   - its matmul primitive, unlike this gemm, passes sums through float and is off by up
 * to 4 once |sum| passes 2^24. */
#include "onednn.h"

#ifdef SYSTOLE_HAVE_ONEDNN
#include <dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "engine/epilogue.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  /* Bits of dnnl_cpu_isa_t (dnnl_types.h): VNNI on AVX-512, and AMX with int8. */
  IsaVnni = 0x40,
  IsaAmx = 0x200,
  /* Rows whose int32 sums wait for the epilogue at a time. */
  EpilogueRows = 64,
};

struct systole_cpu_room {
  int threads;
};

struct systole_cpu_weights {
  int64_t n, k;
  int8_t *b; /* K x N without gaps */
  systole_epilogue epilogue;
  void *epilogue_memory;
};

static int usable(const systole_cpu_kernel *kernel, const char **why) {
  (void)kernel;
  const int yes = ((int)dnnl_get_effective_cpu_isa() & IsaVnni) != 0;
  *why = yes ? "" : "a CPU with AVX512-VNNI; without it oneDNN's int8 products saturate";
  return yes;
}

int systole_onednn_has_amx(void) {
  return ((int)dnnl_get_effective_cpu_isa() & IsaAmx) != 0;
}

static void room_free(systole_cpu_room *room) { free(room); }

static systole_status room_create(systole_cpu_room **out,
                                  const systole_cpu_kernel *kernel, int threads) {
  (void)kernel;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  (*out)->threads = threads;
  return SYSTOLE_OK;
}

static void weights_free(systole_cpu_weights *weights) {
  if (weights == NULL) return;
  systole_release(weights->b);
  free(weights->epilogue_memory);
  free(weights);
}

static systole_status prepare(systole_cpu_weights **out, systole_cpu_room *room,
                              int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  (void)room;
  *out = NULL;
  systole_cpu_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->n = n;
  weights->k = k;
  systole_status status =
      systole_epilogue_copy(&weights->epilogue, &weights->epilogue_memory, epilogue, n);
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&weights->b, (uint64_t)n, (uint64_t)k, "weights");
  }
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  for (int64_t row = 0; row < k && n > 0; row++) {
    memcpy(weights->b + row * n, b + row * ldb, (size_t)n);
  }
  *out = weights;
  return SYSTOLE_OK;
}

/* Sums of `m` rows; oneDNN wants neither 0 as a size nor as a leading dimension. */
static systole_status sums(const systole_cpu_weights *weights, int64_t m, const int8_t *a,
                           int64_t lda, int32_t *c, int64_t ldc) {
  if (weights->k == 0) {
    for (int64_t i = 0; i < m; i++)
      memset(c + i * ldc, 0, (size_t)weights->n * sizeof *c);
    return SYSTOLE_OK;
  }
  const int32_t no_offset = 0;
  const dnnl_status_t status =
      dnnl_gemm_s8s8s32('N', 'N', 'F', m, weights->n, weights->k, 1.0F, a, lda, 0,
                        weights->b, weights->n, 0, 0.0F, c, ldc, &no_offset);
  if (status == dnnl_success) return SYSTOLE_OK;
  if (status == dnnl_out_of_memory) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "oneDNN found no memory for a product of "
                        "%lld x %lld x %lld; use another kernel, e.g. cpu:plain-c",
                        (long long)m, (long long)weights->n, (long long)weights->k);
  }
  return systole_fail(SYSTOLE_ERR_INTERNAL, "oneDNN refused a product with status %d",
                      (int)status);
}

static systole_status gemm_requantised(const systole_cpu_weights *weights, int64_t m,
                                       const int8_t *a, int64_t lda, int8_t *c,
                                       int64_t ldc) {
  int32_t *rows = NULL;
  systole_status status =
      systole_allocate((void **)&rows, EpilogueRows * (uint64_t)weights->n, sizeof *rows,
                       "sums before the epilogue");
  for (int64_t i = 0; i < m && status == SYSTOLE_OK; i += EpilogueRows) {
    const int64_t count = m - i < EpilogueRows ? m - i : EpilogueRows;
    status = sums(weights, count, a + i * lda, lda, rows, weights->n);
    for (int64_t r = 0; r < count && status == SYSTOLE_OK; r++) {
      systole_epilogue_row(c + (i + r) * ldc, rows + r * weights->n, 0, weights->n,
                           &weights->epilogue);
    }
  }
  systole_release(rows);
  return status;
}

static systole_status gemm(const systole_cpu_weights *weights, systole_cpu_room *room,
                           int64_t m, const int8_t *a, int64_t lda, void *c,
                           int64_t ldc) {
  if (m == 0 || weights->n == 0) return SYSTOLE_OK;
  /* OpenMP's count belongs to the calling thread, whose owner may use OpenMP too. */
  const int before = omp_get_max_threads();
  omp_set_num_threads(room->threads);
  systole_status status;
  if (weights->epilogue.multiplier != NULL) {
    status = gemm_requantised(weights, m, a, lda, c, ldc);
  } else {
    int32_t *out = c;
    status = sums(weights, m, a, lda, out, ldc);
    const int32_t *bias = weights->epilogue.bias;
    for (int64_t i = 0; i < m && status == SYSTOLE_OK && bias != NULL; i++) {
      for (int64_t j = 0; j < weights->n; j++) {
        out[i * ldc + j] = (int32_t)((uint32_t)out[i * ldc + j] + (uint32_t)bias[j]);
      }
    }
  }
  omp_set_num_threads(before);
  return status;
}

const systole_cpu_kernel systole_kernel_onednn = {
    .name = "onednn-s8s8s32",
    .usable = usable,
    .room_create = room_create,
    .room_free = room_free,
    .prepare = prepare,
    .weights_free = weights_free,
    .gemm = gemm,
    .tile = NULL,
};

#else

static int usable(const systole_cpu_kernel *kernel, const char **why) {
  (void)kernel;
  *why = "a build with oneDNN (install libdnnl-dev and configure again)";
  return 0;
}

int systole_onednn_has_amx(void) { return 0; }

const systole_cpu_kernel systole_kernel_onednn = {.name = "onednn-s8s8s32",
                                                  .usable = usable};

#endif
