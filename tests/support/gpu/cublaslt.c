#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cuda/api.h"
#include "engine/format.h"
#include "fake.h"

/* Proposals carry this, so that only what was proposed runs. */
static const uint64_t magic = UINT64_C(0x5157304c45000000);
enum { ProposalWorkspace = 1 << 20 };

struct cublasLtContext {
  int unused;
};
struct lt_matmul_opaque {
  int compute, scale, transpose_a, transpose_b;
};
struct lt_layout_opaque {
  int type;
  uint64_t rows, columns;
  int64_t ld;
};
struct lt_preference_opaque {
  uint64_t workspace;
};

#define ENTER(name)                                      \
  do {                                                   \
    const int failed = fake_gpu_enter(name);             \
    if (failed != 0) return failed;                      \
    if (!fake_gpu_in_context()) return LtNotInitialised; \
  } while (0)

int cublasLtCreate(lt_handle *out) {
  ENTER("cublasLtCreate");
  *out = calloc(1, sizeof **out);
  fake_gpu_alive(1);
  return LtSuccess;
}
int cublasLtDestroy(lt_handle handle) {
  ENTER("cublasLtDestroy");
  free(handle);
  fake_gpu_alive(-1);
  return LtSuccess;
}
int cublasLtMatmulDescCreate(lt_matmul *out, int compute, int scale) {
  ENTER("cublasLtMatmulDescCreate");
  *out = calloc(1, sizeof **out);
  (*out)->compute = compute;
  (*out)->scale = scale;
  fake_gpu_alive(1);
  return LtSuccess;
}
int cublasLtMatmulDescSetAttribute(lt_matmul matmul, int attribute, const void *value,
                                   size_t bytes) {
  ENTER("cublasLtMatmulDescSetAttribute");
  int32_t number;
  if (bytes != sizeof number) return LtInvalidValue;
  memcpy(&number, value, sizeof number);
  if (attribute == LtTransposeA) {
    matmul->transpose_a = number;
  } else if (attribute == LtTransposeB) {
    matmul->transpose_b = number;
  } else {
    return LtInvalidValue;
  }
  return LtSuccess;
}
int cublasLtMatmulDescDestroy(lt_matmul matmul) {
  free(matmul); /* gone, whatever is returned */
  fake_gpu_alive(-1);
  ENTER("cublasLtMatmulDescDestroy");
  return LtSuccess;
}
int cublasLtMatrixLayoutCreate(lt_layout *out, int type, uint64_t rows, uint64_t columns,
                               int64_t ld) {
  ENTER("cublasLtMatrixLayoutCreate");
  if (ld < (int64_t)rows) return LtInvalidValue; /* column after column */
  *out = calloc(1, sizeof **out);
  **out = (struct lt_layout_opaque){type, rows, columns, ld};
  fake_gpu_alive(1);
  return LtSuccess;
}
int cublasLtMatrixLayoutDestroy(lt_layout layout) {
  ENTER("cublasLtMatrixLayoutDestroy");
  free(layout);
  fake_gpu_alive(-1);
  return LtSuccess;
}
int cublasLtMatmulPreferenceCreate(lt_preference *out) {
  ENTER("cublasLtMatmulPreferenceCreate");
  *out = calloc(1, sizeof **out);
  fake_gpu_alive(1);
  return LtSuccess;
}
int cublasLtMatmulPreferenceSetAttribute(lt_preference preference, int attribute,
                                         const void *value, size_t bytes) {
  ENTER("cublasLtMatmulPreferenceSetAttribute");
  if (attribute != LtMaxWorkspaceBytes || bytes != sizeof(uint64_t))
    return LtInvalidValue;
  memcpy(&preference->workspace, value, bytes);
  return LtSuccess;
}
int cublasLtMatmulPreferenceDestroy(lt_preference preference) {
  ENTER("cublasLtMatmulPreferenceDestroy");
  free(preference);
  fake_gpu_alive(-1);
  return LtSuccess;
}

static size_t bytes_of(int type) {
  return type == LtS8 ? 1 : type == LtF16 || type == LtBf16 ? 2 : 4;
}

/* What the documentation's table of cublasLtMatmul allows, as far as it is used here. */
static int supported(lt_matmul matmul, lt_layout a, lt_layout b, lt_layout c,
                     lt_layout d) {
  if (a->type != b->type || c->type != d->type || c->ld != d->ld) return 0;
  const uint64_t m = matmul->transpose_a ? a->columns : a->rows;
  const uint64_t k = matmul->transpose_a ? a->rows : a->columns;
  const uint64_t n = matmul->transpose_b ? b->rows : b->columns;
  if ((matmul->transpose_b ? b->columns : b->rows) != k) return 0;
  if (d->rows != m || d->columns != n) return 0;
  if (a->type == LtS8) {
    /* Tensor cores: TN alone, m and k and leading dimensions multiples of 4. */
    return matmul->compute == LtComputeS32 && matmul->scale == LtS32 &&
           d->type == LtS32 && matmul->transpose_a == LtTransposed &&
           matmul->transpose_b == 0 && m % 4 == 0 && k % 4 == 0 && a->ld % 4 == 0 &&
           b->ld % 4 == 0 && d->ld % 4 == 0;
  }
  if (matmul->scale != LtF32 || d->type != LtF32) return 0;
  if (a->type == LtF32) {
    return matmul->compute == LtComputeF32 || matmul->compute == LtComputeTf32;
  }
  return (a->type == LtF16 || a->type == LtBf16) && matmul->compute == LtComputeF32;
}

int cublasLtMatmulAlgoGetHeuristic(lt_handle handle, lt_matmul matmul, lt_layout a,
                                   lt_layout b, lt_layout c, lt_layout d,
                                   lt_preference preference, int wanted, lt_choice *out,
                                   int *count) {
  ENTER("cublasLtMatmulAlgoGetHeuristic");
  *count = 0;
  if (handle == NULL) return LtNotInitialised;
  if (!supported(matmul, a, b, c, d)) return LtNotSupported;
  if (fake_gpu_mode_now() == FakeGpuNoWay) return LtSuccess;
  for (int i = 0; i < wanted && i < 3; i++) {
    memset(&out[i], 0, sizeof out[i]);
    out[i].algorithm.data[0] = magic + (uint64_t)i;
    out[i].state = i == 0 ? LtNotSupported : LtSuccess; /* as documented: look at it */
    out[i].workspace_bytes = i == 2 ? ProposalWorkspace : 0;
    if (out[i].workspace_bytes > preference->workspace) break;
    *count = i + 1;
  }
  return LtSuccess;
}

/* The stored value as a float (floats) with what the mode takes away. */
static float value_of(int type, uintptr_t address, int tf32) {
  const void *at = (const void *)address;
  uint16_t half;
  float value;
  if (type == LtS8) return (float)*(const int8_t *)at;
  if (type == LtF32) {
    memcpy(&value, at, sizeof value);
    if (tf32) {
      uint32_t bits;
      memcpy(&bits, &value, sizeof bits);
      bits &= 0xffffe000;
      memcpy(&value, &bits, sizeof bits);
    }
    return value;
  }
  memcpy(&half, at, sizeof half);
  return type == LtBf16 ? systole_bf16_value(half) : systole_f16_value(half);
}

static int32_t sum_s16(const int16_t *x, const int16_t *y, int64_t count) {
  uint32_t sum = 0; /* wraps, as the hardware does */
  for (int64_t p = 0; p < count; p++) sum += (uint32_t)(x[p] * y[p]);
  return (int32_t)sum;
}

static float sum_f32(const float *x, const float *y, int64_t count) {
  float sum = 0;
  for (int64_t p = 0; p < count; p++) sum += x[p] * y[p];
  return sum;
}

int cublasLtMatmul(lt_handle handle, lt_matmul matmul, const void *alpha, cuda_address a,
                   lt_layout a_layout, cuda_address b, lt_layout b_layout,
                   const void *beta, cuda_address c, lt_layout c_layout, cuda_address d,
                   lt_layout d_layout, const lt_algorithm *algorithm,
                   cuda_address workspace, size_t workspace_bytes, cuda_stream stream) {
  ENTER("cublasLtMatmul");
  const int mode = fake_gpu_mode_now();
  if (handle == NULL || stream == NULL || algorithm == NULL) return LtInvalidValue;
  const uint64_t which = algorithm->data[0] - magic;
  if (which != 1 && which != 2) return LtInvalidValue;
  if (which == 2 && (workspace_bytes < ProposalWorkspace ||
                     !fake_gpu_owns(workspace, ProposalWorkspace))) {
    return LtInvalidValue;
  }
  if (!supported(matmul, a_layout, b_layout, c_layout, d_layout)) return LtNotSupported;
  if (mode == FakeGpuBroken) return LtExecutionFailed;
  const int type = a_layout->type, integers = type == LtS8;
  const size_t bytes = bytes_of(type);
  const int64_t m = (int64_t)d_layout->rows, n = (int64_t)d_layout->columns;
  const int64_t k = (int64_t)(matmul->transpose_a ? a_layout->rows : a_layout->columns);
  if (!fake_gpu_owns(a, (size_t)a_layout->ld * a_layout->columns * bytes) ||
      !fake_gpu_owns(b, (size_t)b_layout->ld * b_layout->columns * bytes) ||
      !fake_gpu_owns(d, (size_t)d_layout->ld * d_layout->columns * 4) || c != d) {
    return LtInvalidValue;
  }
  if (integers ? *(const int32_t *)alpha != 1 || *(const int32_t *)beta != 0
               : *(const float *)alpha != 1 || *(const float *)beta != 0) {
    return LtInvalidValue;
  }
  const int tf32 = matmul->compute == LtComputeTf32 || mode == FakeGpuTf32;
  const size_t count_a = (size_t)(m * k), count_b = (size_t)(n * k);
  float *row_a = malloc(count_a * sizeof *row_a),
        *row_b = malloc(count_b * sizeof *row_b);
  int16_t *whole_a = malloc(count_a * sizeof *whole_a);
  int16_t *whole_b = malloc(count_b * sizeof *whole_b);
  if (row_a == NULL || row_b == NULL || whole_a == NULL || whole_b == NULL) abort();
  for (int64_t p = 0; p < k; p++) {
    for (int64_t i = 0; i < m; i++) {
      const int64_t at =
          matmul->transpose_a ? p + i * a_layout->ld : i + p * a_layout->ld;
      row_a[i * k + p] = value_of(type, (uintptr_t)a + (size_t)at * bytes, tf32);
      if (integers) whole_a[i * k + p] = (int16_t)row_a[i * k + p];
    }
    for (int64_t j = 0; j < n; j++) {
      const int64_t at =
          matmul->transpose_b ? j + p * b_layout->ld : p + j * b_layout->ld;
      row_b[j * k + p] = value_of(type, (uintptr_t)b + (size_t)at * bytes, tf32);
      if (integers) whole_b[j * k + p] = (int16_t)row_b[j * k + p];
    }
  }
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < m; i++) {
      const int64_t at = i + j * d_layout->ld;
      if (integers) {
        int32_t sum = sum_s16(whole_a + i * k, whole_b + j * k, k);
        if (mode == FakeGpuThroughFloat) sum = (int32_t)(float)sum;
        ((int32_t *)(uintptr_t)d)[at] = sum;
      } else if (mode == FakeGpuHalfSums) {
        float sum = 0;
        for (int64_t p = 0; p < k; p++) {
          sum += row_a[i * k + p] * row_b[j * k + p];
          sum = systole_bf16_value(systole_bf16_of(sum));
        }
        ((float *)(uintptr_t)d)[at] = sum;
      } else {
        ((float *)(uintptr_t)d)[at] = sum_f32(row_a + i * k, row_b + j * k, k);
      }
    }
  }
  free(whole_b);
  free(whole_a);
  free(row_b);
  free(row_a);
  return LtSuccess;
}
