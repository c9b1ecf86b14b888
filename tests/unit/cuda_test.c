/* The CUDA engine on a pretended GPU (support/gpu): layouts, formats, faults in every
 * call, and sentences. What a real one does is not shown here; docs/gpu.md says so. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/epilogue.h"
#include "engine/format.h"
#include "gpu/fake.h"
#include "systole/systole.h"

/* POSIX's; the tests are ISO C otherwise. */
int setenv(const char *name, const char *value, int overwrite);

static fake_gpu_fail_function *fail;
static fake_gpu_count_function *count;
static fake_gpu_mode_function *mode;

static void bind(void *library, void *function, const char *name) {
  void *address = dlsym(library, name);
  cr_assert_not_null(address, "%s", name);
  memcpy(function, &address, sizeof address);
}

/* Each test is a process of its own, in which the libraries are not loaded yet. */
static void pretend(void) {
  setenv("SYSTOLE_CUDA", SYSTOLE_FAKE_GPU, 1);
  setenv("SYSTOLE_ROOT", "/nowhere", 1); /* no sensors of this machine */
  void *library = dlopen(SYSTOLE_FAKE_GPU "/libcuda.so.1", RTLD_NOW);
  cr_assert_not_null(library, "%s", dlerror());
  bind(library, &fail, "fake_gpu_fail");
  bind(library, &count, "fake_gpu_count");
  bind(library, &mode, "fake_gpu_mode");
}
TestSuite(cuda, .init = pretend);
TestSuite(no_cuda);

static systole_device *open_device(const char *name) {
  systole_device *device = NULL;
  cr_assert_eq(systole_device_open(&device, name, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  return device;
}

static int8_t draw_s8(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U;
  return (int8_t)(*state >> 24);
}

static float draw_f32(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U;
  return (float)((int32_t)(*state >> 7) - (1 << 24)) * 0x1p-24F;
}

/* ---- int8 ----------------------------------------------------------------------------
 */

enum { RawSums, WithBias, ToInt8 };

static systole_status product_s8(systole_device *device, int m, int n, int k, int kind,
                                 systole_stats *stats) {
  const int lda = k + 1, ldb = n + 2, ldc = n + 3;
  uint32_t state = (uint32_t)(m + 100 * n + 10000 * k);
  int8_t *a = malloc((size_t)(m * lda) + 1), *b = malloc((size_t)(k * ldb) + 1);
  void *c = malloc((size_t)(m * ldc) * 4 + 4);
  int32_t *bias = malloc((size_t)n * 4 + 4), *multiplier = malloc((size_t)n * 4 + 4);
  uint8_t *shift = malloc((size_t)n + 1);
  for (int i = 0; i < m * lda; i++) a[i] = draw_s8(&state);
  for (int i = 0; i < k * ldb; i++) b[i] = draw_s8(&state);
  for (int j = 0; j < n; j++) {
    bias[j] = 1000 * draw_s8(&state);
    multiplier[j] = 500 + j;
    shift[j] = 20;
  }
  memset(c, 0x5a, (size_t)(m * ldc) * 4);
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  if (kind != RawSums) epilogue.bias = bias;
  if (kind == ToInt8) {
    epilogue.multiplier = multiplier;
    epilogue.shift = shift;
    epilogue.zero_point = -3;
  }
  systole_weights *weights = NULL;
  systole_status status = systole_weights_prepare(&weights, device, n, k, b, ldb,
                                                  kind == RawSums ? NULL : &epilogue);
  if (status == SYSTOLE_OK) {
    status = systole_gemm_s8_prepared(weights, m, a, lda, c, ldc, stats);
  }
  systole_weights_free(weights);
  for (int i = 0; i < m && status == SYSTOLE_OK; i++) {
    for (int j = 0; j < ldc; j++) {
      if (j >= n) {
        if (kind != ToInt8) cr_assert_eq(((uint32_t *)c)[i * ldc + j], 0x5a5a5a5a);
        if (kind == ToInt8) cr_assert_eq(((uint8_t *)c)[i * ldc + j], 0x5a);
        continue;
      }
      int32_t sum = 0;
      for (int p = 0; p < k; p++) sum += a[i * lda + p] * b[p * ldb + j];
      if (kind == ToInt8) {
        const int8_t expected =
            systole_epilogue_value(sum, bias[j], multiplier[j], shift[j], -3, -128, 127);
        cr_assert_eq(((int8_t *)c)[i * ldc + j], expected, "%dx%dx%d", m, n, k);
      } else {
        if (kind == WithBias) sum += bias[j];
        cr_assert_eq(((int32_t *)c)[i * ldc + j], sum, "%dx%dx%d [%d][%d]", m, n, k, i,
                     j);
      }
    }
  }
  free(shift);
  free(multiplier);
  free(bias);
  free(c);
  free(b);
  free(a);
  return status;
}

Test(cuda, int8_is_exact_on_every_shape_and_epilogue) {
  static const int shapes[][3] = {{1, 1, 1},    {16, 16, 16}, {15, 17, 31}, {1, 100, 33},
                                  {100, 1, 33}, {33, 100, 1}, {64, 48, 80}, {0, 5, 5},
                                  {5, 0, 5},    {5, 5, 0}};
  systole_device *device = open_device("cuda");
  cr_expect_eq(systole_device_format(device), SYSTOLE_FORMAT_S8);
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (int kind = RawSums; kind <= ToInt8; kind++) {
      systole_stats stats;
      cr_expect_eq(
          product_s8(device, shapes[s][0], shapes[s][1], shapes[s][2], kind, &stats),
          SYSTOLE_OK, "%s", systole_last_error());
    }
  }
  systole_device_close(device);
  cr_expect_eq(count(NULL), 0, "%d things of the GPU are left", count(NULL));
}

Test(cuda, a_run_tells_its_shares_and_its_kernel) {
  systole_device *device = open_device("cuda");
  systole_stats stats;
  cr_assert_eq(product_s8(device, 64, 64, 256, RawSums, &stats), SYSTOLE_OK);
  cr_expect_str_eq(stats.kernel, "cublaslt-int8");
  cr_expect_gt(stats.compute_s, 0);
  cr_expect_gt(stats.transfer_s, 0);
  cr_expect_leq(stats.compute_s + stats.transfer_s, stats.seconds);
  cr_expect(stats.host_share > 0 && stats.host_share < 1);
  cr_expect_eq(stats.power_w.kind, SYSTOLE_KIND_UNKNOWN, "there is no sensor here");
  systole_device_close(device);
}

/* 64 MiB of results at a time: 20 rows of 1048576 columns are two slices. */
static int calls;
static int see(void *user, uint64_t done, uint64_t total) {
  const int *stop = user;
  calls++;
  cr_expect(done > 0 && done < total);
  return *stop;
}

Test(cuda, long_products_go_in_slices_and_can_be_stopped) {
  enum { M = 20, N = 1 << 20, K = 2 };
  systole_device *device = open_device("cuda");
  int8_t *a = malloc(M * K), *b = malloc((size_t)K * N);
  int32_t *c = malloc((size_t)M * N * 4);
  for (int i = 0; i < M * K; i++) a[i] = (int8_t)(i - 20);
  for (int i = 0; i < K * N; i++) b[i] = (int8_t)(i * 7);
  int stop = 0;
  systole_weights *weights = NULL;
  systole_device_set_progress(device, see, &stop);
  cr_assert_eq(systole_weights_prepare(&weights, device, N, K, b, N, NULL), SYSTOLE_OK);
  cr_assert_eq(systole_gemm_s8_prepared(weights, M, a, K, c, N, NULL), SYSTOLE_OK);
  cr_expect_eq(calls, 1);
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j += 4095) {
      cr_assert_eq(c[(size_t)i * N + (size_t)j],
                   a[i * K] * b[j] + a[i * K + 1] * b[N + j]);
    }
  }
  stop = 1;
  cr_expect_eq(systole_gemm_s8_prepared(weights, M, a, K, c, N, NULL),
               SYSTOLE_ERR_INTERRUPTED);
  systole_weights_free(weights);
  systole_device_close(device);
  cr_expect_eq(count(NULL), 0);
  free(c);
  free(b);
  free(a);
}

/* ---- floats --------------------------------------------------------------------------
 */

static void product_f32(systole_device *device, int m, int n, int k, int with_bias) {
  const systole_format format = systole_device_format(device);
  const int lda = k + 3, ldb = n + 5, ldc = n + 2;
  uint32_t state = (uint32_t)(m * 7919 + n * 31 + k);
  float *a = malloc(sizeof *a * (size_t)(m * lda)),
        *b = malloc(sizeof *b * (size_t)(k * ldb));
  float *c = malloc(sizeof *c * (size_t)(m * ldc)), *bias = malloc(sizeof *bias * 200);
  for (int i = 0; i < m * lda; i++) a[i] = draw_f32(&state);
  for (int i = 0; i < k * ldb; i++) b[i] = draw_f32(&state);
  for (int i = 0; i < m * ldc; i++) c[i] = -77;
  for (int j = 0; j < n; j++) bias[j] = draw_f32(&state);
  systole_weights *weights = NULL;
  cr_assert_eq(systole_weights_prepare_f32(&weights, device, n, k, b, ldb,
                                           with_bias ? bias : NULL),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_assert_eq(systole_gemm_f32_prepared(weights, m, a, lda, c, ldc, NULL), SYSTOLE_OK,
               "%s", systole_last_error());
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) {
      double sum = with_bias ? (double)bias[j] : 0, size = fabs(sum);
      for (int p = 0; p < k; p++) {
        const double x = (double)systole_format_operand(format, a[i * lda + p]);
        const double y = (double)systole_format_operand(format, b[p * ldb + j]);
        sum += x * y;
        size += fabs(x * y);
      }
      cr_assert_leq(fabs((double)c[i * ldc + j] - sum),
                    systole_format_bound(format, k + 1) * size, "%dx%dx%d [%d][%d]", m, n,
                    k, i, j);
    }
    cr_assert_eq(c[i * ldc + n], -77);
  }
  systole_weights_free(weights);
  free(bias);
  free(c);
  free(b);
  free(a);
}

Test(cuda, floats_are_within_their_bounds) {
  static const char *const names[] = {"cuda-f32", "cuda-tf32", "cuda-bf16", "cuda-fp16"};
  static const systole_format formats[] = {SYSTOLE_FORMAT_F32, SYSTOLE_FORMAT_TF32,
                                           SYSTOLE_FORMAT_BF16, SYSTOLE_FORMAT_F16};
  for (int f = 0; f < 4; f++) {
    systole_device *device = open_device(names[f]);
    cr_expect_eq(systole_device_format(device), formats[f]);
    product_f32(device, 1, 1, 1, 0);
    product_f32(device, 17, 35, 64, 1);
    product_f32(device, 50, 3, 19, 0);
    const int8_t one = 1;
    int32_t sum;
    cr_expect_eq(systole_gemm_s8(device, 1, 1, 1, &one, 1, &one, 1, &sum, 1, NULL),
                 SYSTOLE_ERR_UNSUPPORTED);
    systole_device_close(device);
    cr_expect_eq(count(NULL), 0);
  }
}

/* ---- the self-test -------------------------------------------------------------------
 */

static void expect_distrust(const char *name, int how, const char *what) {
  systole_device *device = NULL;
  mode(how);
  cr_expect_eq(systole_device_open(&device, name, NULL), SYSTOLE_ERR_DEVICE, "%s", name);
  cr_expect(strstr(systole_last_error(), what) != NULL, "%s: %s", name,
            systole_last_error());
  cr_expect_null(device);
  cr_expect_eq(count(NULL), 0);
}

Test(cuda, a_library_that_computes_something_else_is_found_when_the_device_is_opened) {
  expect_distrust("cuda", FakeGpuThroughFloat, "computes sums wrongly in int8");
  expect_distrust("cuda-f32", FakeGpuTf32, "computes single products wrongly in f32");
  expect_distrust("cuda-f32", FakeGpuTf32, "NVIDIA_TF32_OVERRIDE");
  expect_distrust("cuda-bf16", FakeGpuHalfSums, "wrongly in bf16");
  expect_distrust("cuda-fp16", FakeGpuHalfSums, "wrongly in fp16");
  mode(FakeGpuGood);
  systole_device_close(open_device("cuda-f32"));
}

Test(cuda, a_product_that_the_library_cannot_do_is_said) {
  systole_device *device = open_device("cuda");
  mode(FakeGpuNoWay);
  cr_expect_eq(product_s8(device, 5, 6, 7, RawSums, NULL), SYSTOLE_ERR_UNSUPPORTED);
  cr_expect(
      strstr(systole_last_error(), "no way to multiply int8 of 16 x 16 x 16") != NULL,
      "%s", systole_last_error());
  mode(FakeGpuBroken);
  cr_expect_eq(product_s8(device, 5, 6, 7, RawSums, NULL), SYSTOLE_ERR_UNSUPPORTED);
  mode(FakeGpuGood);
  cr_expect_eq(product_s8(device, 5, 6, 7, RawSums, NULL), SYSTOLE_OK);
  systole_device_close(device);
  cr_expect_eq(count(NULL), 0);
}

/* ---- memory and faults ---------------------------------------------------------------
 */

Test(cuda, memory_that_is_short_is_said_and_the_device_stays_usable) {
  setenv("FAKE_GPU_MEMORY", "40000000", 1); /* 32 MiB of it are workspace */
  systole_device *device = open_device("cuda");
  int8_t *b = calloc(1, 20000000);
  systole_weights *weights = NULL;
  cr_expect_eq(systole_weights_prepare(&weights, device, 4000, 5000, b, 4000, NULL),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_expect(
      strstr(systole_last_error(), "do not fit on Pretended GPU A (256 MiB") != NULL,
      "%s", systole_last_error());
  cr_expect_null(weights);
  int8_t small[16] = {1};
  int32_t *c = malloc(sizeof *c * 4000 * 1000);
  cr_assert_eq(systole_weights_prepare(&weights, device, 4000, 1, b, 4000, NULL), 0);
  cr_expect_eq(systole_gemm_s8_prepared(weights, 1000, b, 1, c, 4000, NULL),
               SYSTOLE_ERR_DEVICE_MEMORY);
  cr_expect(strstr(systole_last_error(), "results of 16") != NULL, "%s",
            systole_last_error());
  cr_expect_eq(systole_gemm_s8_prepared(weights, 10, small, 1, c, 4000, NULL), SYSTOLE_OK,
               "%s", systole_last_error());
  systole_weights_free(weights);
  systole_device_close(device);
  cr_expect_eq(count(NULL), 0);
  free(c);
  free(b);
}

Test(cuda, without_memory_for_a_workspace_it_works_nevertheless) {
  setenv("FAKE_GPU_MEMORY", "30000000", 1);
  systole_device *device = open_device("cuda");
  cr_expect_eq(product_s8(device, 20, 30, 40, RawSums, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  systole_device_close(device);
}

/* Two sizes and two sets of weights. */
static systole_status job(void) {
  systole_device *device = NULL;
  systole_status status = systole_device_open(&device, "cuda", NULL);
  if (status == SYSTOLE_OK) status = product_s8(device, 20, 30, 40, ToInt8, NULL);
  if (status == SYSTOLE_OK) status = product_s8(device, 70, 90, 10, RawSums, NULL);
  systole_device_close(device);
  return status;
}

Test(cuda, every_call_may_fail_at_any_time, .timeout = 120) {
  static const struct {
    const char *name;
    int code;
  } functions[] = {
      {"cuDeviceGet", 101},
      {"cuDeviceGetName", 1},
      {"cuDeviceTotalMem_v2", 1},
      {"cuDeviceGetPCIBusId", 1},
      {"cuDevicePrimaryCtxRetain", 2},
      {"cuStreamCreate", 2},
      {"cuStreamSynchronize", 719},
      {"cuEventCreate", 2},
      {"cuEventRecord", 719},
      {"cuEventElapsedTime", 719},
      {"cuMemAlloc_v2", 2},
      {"cuMemAlloc_v2", 719},
      {"cuMemAllocHost_v2", 2},
      {"cuMemcpyHtoDAsync_v2", 719},
      {"cuMemcpyDtoHAsync_v2", 719},
      {"cublasLtCreate", 1},
      {"cublasLtMatmulDescCreate", 3},
      {"cublasLtMatmulDescSetAttribute", 7},
      {"cublasLtMatrixLayoutCreate", 3},
      {"cublasLtMatmulPreferenceCreate", 3},
      {"cublasLtMatmulPreferenceSetAttribute", 7},
      {"cublasLtMatmulAlgoGetHeuristic", 15},
      {"cublasLtMatmul", 13},
      {"cuCtxSetCurrent", 719},
      {"cuMemFree_v2", 719},
      {"cublasLtMatmulDescDestroy", 14},
  };
  int faults = 0, failed = 0;
  fail(NULL, 0, 0);
  cr_assert_eq(job(), SYSTOLE_OK, "%s", systole_last_error());
  for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
    const char *name = functions[f].name;
    fail(NULL, 0, 0);
    cr_assert_eq(job(), SYSTOLE_OK);
    const int total = count(name);
    cr_assert_gt(total, 0, "%s is never called", name);
    for (int nth = 1; nth <= total; nth++) {
      const int before = count(NULL);
      fail(name, nth, functions[f].code);
      const systole_status status = job(); /* right, or refused with a sentence */
      faults++;
      failed += status != SYSTOLE_OK;
      cr_expect(status == SYSTOLE_OK || systole_last_error()[0] != '\0');
      cr_expect_eq(count(NULL), before, "%s, call %d: %d things are left", name, nth,
                   count(NULL) - before);
    }
  }
  cr_expect_gt(failed, 40, "of %d faults %d were noticed", faults, failed);
}

Test(cuda, a_fault_in_a_product_leaves_the_device_usable) {
  systole_device *device = open_device("cuda");
  static const char *const functions[] = {"cuMemcpyHtoDAsync_v2", "cublasLtMatmul",
                                          "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize"};
  for (int f = 0; f < 4; f++) {
    int noticed = 0;
    for (int nth = 1; nth <= 8; nth++) {
      fail(functions[f], nth, f == 1 ? 13 : 719);
      noticed += product_s8(device, 9, 8, 7, RawSums, NULL) != SYSTOLE_OK;
      fail(NULL, 0, 0);
      cr_expect_eq(product_s8(device, 9, 8, 7, RawSums, NULL), SYSTOLE_OK, "%s: %s",
                   functions[f], systole_last_error());
    }
    cr_expect_gt(noticed, 0, "%s", functions[f]);
  }
  systole_device_close(device);
  cr_expect_eq(count(NULL), 0);
}

/* ---- names and lists -----------------------------------------------------------------
 */

static const systole_device_info *row(const systole_device_info *list, size_t rows,
                                      const char *name) {
  for (size_t i = 0; i < rows; i++) {
    if (strcmp(list[i].name, name) == 0) return &list[i];
  }
  return NULL;
}

Test(cuda, every_gpu_is_listed_in_every_format) {
  setenv("FAKE_GPU_DEVICES", "2", 1);
  setenv("FAKE_GPU_CAPABILITY", "75", 1);
  systole_device_info *list = NULL;
  size_t rows = 0;
  cr_assert_eq(systole_device_list(&list, &rows), SYSTOLE_OK);
  static const char *const usable[] = {"cuda",   "cuda-f32",   "cuda-fp16",
                                       "cuda:1", "cuda-f32:1", "cuda-fp16:1"};
  for (int i = 0; i < 6; i++) {
    const systole_device_info *info = row(list, rows, usable[i]);
    cr_assert_not_null(info, "%s", usable[i]);
    cr_expect(info->usable, "%s", usable[i]);
    cr_expect_str_eq(info->kind, "gpu");
  }
  const systole_device_info *bf16 = row(list, rows, "cuda-bf16:1");
  cr_assert_not_null(bf16);
  cr_expect_not(bf16->usable);
  cr_expect_str_eq(bf16->reason,
                   "bf16 in tensor cores takes compute capability 8.0; Pretended GPU B "
                   "has 7.5");
  systole_device_list_free(list, rows);
  systole_device *device = NULL;
  cr_expect_eq(systole_device_open(&device, "cuda-tf32", NULL), SYSTOLE_ERR_NOT_FOUND);
}

Test(cuda, a_gpu_is_chosen_by_number_or_part_of_its_name) {
  setenv("FAKE_GPU_DEVICES", "2", 1);
  static const char *const names[] = {"cuda:1", "cuda:gpu b", "cuda-bf16:GPU B"};
  for (int i = 0; i < 3; i++) {
    fail(NULL, 0, 0);
    systole_device *device = open_device(names[i]);
    cr_expect_str_eq(systole_device_name(device), names[i]);
    systole_device_close(device);
  }
  systole_device *device = NULL;
  cr_expect_eq(systole_device_open(&device, "cuda:7", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_str_eq(systole_last_error(),
                   "no NVIDIA GPU here has the number or name \"7\"; there are 0 "
                   "(Pretended GPU A), 1 (Pretended GPU B)");
  cr_expect_eq(systole_device_open(&device, "cuda:radeon", NULL), SYSTOLE_ERR_NOT_FOUND);
  char other[32];
  cr_expect_eq(
      systole_device_in_format(other, sizeof other, "cuda:1", SYSTOLE_FORMAT_F16),
      SYSTOLE_OK);
  cr_expect_str_eq(other, "cuda-fp16:1");
}

/* ---- without -------------------------------------------------------------------------
 */

static void expect_absent(const char *sentence) {
  systole_device *device = NULL;
  systole_device_info *list = NULL;
  size_t rows = 0;
  cr_expect_eq(systole_device_open(&device, "cuda-bf16", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_expect(strstr(systole_last_error(), sentence) != NULL, "%s", systole_last_error());
  cr_assert_eq(systole_device_list(&list, &rows), SYSTOLE_OK);
  const systole_device_info *info = row(list, rows, "cuda");
  cr_assert_not_null(info);
  cr_expect_not(info->usable);
  cr_expect(strstr(info->reason, sentence) != NULL, "%s", info->reason);
  systole_device_list_free(list, rows);
}

Test(no_cuda, without_a_driver_there_is_a_sentence) {
  setenv("SYSTOLE_CUDA", "/nowhere", 1);
  expect_absent(
      "no NVIDIA GPU: SYSTOLE_CUDA is /nowhere, and libcuda.so.1 cannot be "
      "loaded from there");
}

Test(no_cuda, a_driver_without_a_gpu_is_told_apart) {
  setenv("SYSTOLE_CUDA", SYSTOLE_FAKE_GPU, 1);
  setenv("FAKE_GPU_DEVICES", "0", 1);
  expect_absent("no NVIDIA GPU: libcuda.so.1 is here and finds none");
}

Test(no_cuda, a_driver_that_does_not_start_is_told_apart) {
  setenv("SYSTOLE_CUDA", SYSTOLE_FAKE_GPU, 1);
  setenv("FAKE_GPU_INIT", "803", 1);
  expect_absent(
      "NVIDIA's driver does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)");
}

Test(no_cuda, a_driver_that_is_too_old_is_told_apart) {
  setenv("SYSTOLE_CUDA", SYSTOLE_FAKE_GPU "/old", 1);
  expect_absent("libcuda.so.1 has no cuInit; install a driver for CUDA 11 or later");
}

Test(no_cuda, a_gpu_without_cublas_is_told_apart) {
  setenv("SYSTOLE_CUDA", SYSTOLE_FAKE_GPU "/driver", 1);
  expect_absent("there is a GPU and no cuBLAS: SYSTOLE_CUDA is");
}
