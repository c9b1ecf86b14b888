/* float32 on OpenCL devices by CLBlast, which is bound at run time: "opencl-f32" (the
 * best device) and "opencl-f32:<part of a name>".
 *
 * CLBlast compiles its kernels for a device at the first product, which takes up to half
 * a minute; the self-test at opening is that product. Its event covers the last of its
 * kernels alone, so compute_s is the time from its call to the end of clFinish.
 */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choose.h"
#include "engine/engine.h"
#include "engine/format.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  SliceMacs = INT32_MAX, /* as for int8 */
  SliceRows = 64,        /* slices are multiples of it */
  RowMajor = 101,        /* clblast_c.h */
  NoTranspose = 111
};

/* ---- the library ---------------------------------------------------------------------
 */

typedef int sgemm_function(int layout, int transpose_a, int transpose_b, size_t m,
                           size_t n, size_t k, float alpha, cl_mem a, size_t a_offset,
                           size_t lda, cl_mem b, size_t b_offset, size_t ldb, float beta,
                           cl_mem c, size_t c_offset, size_t ldc, cl_command_queue *queue,
                           cl_event *event);

static sgemm_function *sgemm;
static int (*clear_cache)(void);
static const char *missing = "";
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  void *library = dlopen("libclblast.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    missing =
        "libclblast.so.1 is not installed; float32 on OpenCL devices takes "
        "apt-get install libclblast1";
    return;
  }
  /* ISO C has no cast from an object's to a function's address; POSIX promises the
   * bytes. */
  void *address = dlsym(library, "CLBlastSgemm");
  memcpy(&sgemm, &address, sizeof address);
  address = dlsym(library, "CLBlastClearCache");
  memcpy(&clear_cache, &address, sizeof address);
  if (sgemm == NULL || clear_cache == NULL) {
    missing = "libclblast.so.1 lacks CLBlastSgemm; install libclblast1 anew";
  }
}

/* "" when it can be used. */
static const char *library_missing(void) {
  pthread_once(&once, load);
  return missing;
}

/* CLBlast passes OpenCL's codes on, and has its own from -1024 down (clblast_c.h). */
static systole_status refused(int code, const char *what) {
  if (code > -1024) return systole_opencl_failed(code, what);
  return systole_fail(SYSTOLE_ERR_DEVICE, "CLBlast could not %s: its status is %d", what,
                      code);
}

/* ---- the engine ----------------------------------------------------------------------
 */

struct systole_engine {
  const systole_opencl_runtime *cl;
  systole_opencl_device device;
  cl_context context;
  cl_command_queue queue;
  systole_progress progress;
  void *progress_user;
};

struct systole_engine_weights {
  systole_engine *engine;
  int64_t n, k;
  cl_mem b;
  float *bias; /* NULL: none */
};

static int claims(const char *name) {
  return systole_device_name_format(name) == SYSTOLE_FORMAT_F32 &&
         strncmp(name, "opencl-f32", 10) == 0 && strcspn(name, ":") == 10;
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  systole_opencl_device devices[SystoleOpenclDevices];
  const char *why = "";
  const int count = systole_opencl_devices(devices, &why);
  if (count == 0) return; /* the row of int8 says why */
  for (int i = 0; i < count; i++) {
    char name[128], about[256];
    snprintf(name, sizeof name, i == 0 ? "opencl-f32" : "opencl-f32:%s", devices[i].name);
    snprintf(about, sizeof about, "%s, float32 by CLBlast%s", devices[i].name,
             devices[i].functional ? "; a CPU plays the device: for tests, not for speed"
                                   : "");
    const char *reason = library_missing();
    const systole_device_info info = {name, devices[i].functional ? "functional" : "gpu",
                                      about, reason[0] == '\0', reason};
    add(user, &info);
  }
}

static void close_engine(systole_engine *engine) {
  if (engine == NULL) return;
  /* Compiled kernels hold the context. */
  if (clear_cache != NULL) (void)clear_cache();
  if (engine->queue != NULL) engine->cl->ReleaseCommandQueue(engine->queue);
  if (engine->context != NULL) engine->cl->ReleaseContext(engine->context);
  free(engine);
}

static systole_status selftest(systole_engine *engine);

static systole_status open_engine(systole_engine **out, const char *name,
                                  const systole_device_options *options) {
  (void)options; /* all of them are for simulated devices and CPU threads */
  *out = NULL;
  const char *colon = strchr(name, ':');
  systole_opencl_device device;
  systole_status status =
      systole_opencl_choose(&device, colon != NULL ? colon + 1 : NULL);
  if (status != SYSTOLE_OK) return status;
  if (library_missing()[0] != '\0') {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", library_missing());
  }
  systole_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  const char *why = "";
  cl_int code = CL_SUCCESS;
  engine->cl = systole_opencl(&why);
  engine->device = device;
  engine->context = engine->cl->CreateContext(NULL, 1, &device.device, NULL, NULL, &code);
  if (code == CL_SUCCESS) {
    engine->queue = engine->cl->CreateCommandQueue(engine->context, device.device,
                                                   CL_QUEUE_PROFILING_ENABLE, &code);
  }
  status = code == CL_SUCCESS ? selftest(engine)
                              : systole_opencl_failed(code, "open the device");
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
  (void)engine;
  return SYSTOLE_FORMAT_F32;
}

/* ---- weights -------------------------------------------------------------------------
 */

static void weights_free(systole_engine_weights *weights) {
  if (weights == NULL) return;
  if (weights->b != NULL) weights->engine->cl->ReleaseMemObject(weights->b);
  systole_release(weights->bias);
  free(weights);
}

static systole_status make_buffer(cl_mem *out, systole_engine *engine, uint64_t elements,
                                  const char *what) {
  uint64_t bytes = 0;
  if (!systole_multiply(&bytes, elements, sizeof(float)) ||
      bytes > engine->device.largest_buffer) {
    return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY,
                        "%s of %llu floats are more than %s takes in one buffer (%llu "
                        "bytes)",
                        what, (unsigned long long)elements, engine->device.name,
                        (unsigned long long)engine->device.largest_buffer);
  }
  cl_int code = CL_SUCCESS;
  *out = engine->cl->CreateBuffer(engine->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
  return code == CL_SUCCESS ? SYSTOLE_OK : systole_opencl_failed(code, "allocate memory");
}

static systole_status prepare_f32(systole_engine_weights **out, systole_engine *engine,
                                  int64_t n, int64_t k, const float *b, int64_t ldb,
                                  const float *bias) {
  *out = NULL;
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
  if (status == SYSTOLE_OK) {
    status = make_buffer(&weights->b, engine, (uint64_t)n * (uint64_t)k, "weights");
  }
  const size_t row = (size_t)n * sizeof *b;
  cl_int code = CL_SUCCESS;
  for (int64_t i = 0; i < k && status == SYSTOLE_OK && code == CL_SUCCESS; i++) {
    if (ldb == n) { /* in one piece */
      code = engine->cl->EnqueueWriteBuffer(engine->queue, weights->b, CL_TRUE, 0,
                                            row * (size_t)k, b, 0, NULL, NULL);
      break;
    }
    code =
        engine->cl->EnqueueWriteBuffer(engine->queue, weights->b, CL_TRUE,
                                       (size_t)i * row, row, b + i * ldb, 0, NULL, NULL);
  }
  if (status == SYSTOLE_OK && code != CL_SUCCESS) {
    status = systole_opencl_failed(code, "copy weights to the device");
  }
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

/* ---- products ------------------------------------------------------------------------
 */

typedef struct slices {
  int64_t rows;  /* of one slice */
  float *packed; /* rows x k, without gaps */
  float *sums;   /* rows x n, without gaps */
  cl_mem a, c;
} slices;

static void slices_free(slices *s, const systole_engine *engine) {
  if (s->a != NULL) engine->cl->ReleaseMemObject(s->a);
  if (s->c != NULL) engine->cl->ReleaseMemObject(s->c);
  systole_release(s->packed);
  systole_release(s->sums);
}

static systole_status slices_make(slices *s, const systole_engine_weights *w, int64_t m) {
  const int64_t longest = w->n > w->k ? w->n : w->k;
  const uint64_t room = w->engine->device.largest_buffer / ((uint64_t)longest * 4 + 1);
  int64_t rows = SliceMacs / (w->n * w->k + 1);
  memset(s, 0, sizeof *s);
  if (room < (uint64_t)rows) rows = (int64_t)room;
  rows = rows / SliceRows * SliceRows;
  if (rows < SliceRows) rows = SliceRows;
  s->rows = rows < m ? rows : m;
  systole_status status =
      systole_allocate((void **)&s->packed, (uint64_t)s->rows,
                       (uint64_t)w->k * sizeof(float), "a slice of A");
  if (status == SYSTOLE_OK) {
    status = systole_allocate((void **)&s->sums, (uint64_t)s->rows,
                              (uint64_t)w->n * sizeof(float), "a slice of C");
  }
  if (status == SYSTOLE_OK) {
    status =
        make_buffer(&s->a, w->engine, (uint64_t)s->rows * (uint64_t)w->k, "activations");
  }
  if (status == SYSTOLE_OK) {
    status = make_buffer(&s->c, w->engine, (uint64_t)s->rows * (uint64_t)w->n, "results");
  }
  return status;
}

/* `rows` rows of A -> the same rows of C. */
static systole_status one_slice(const systole_engine_weights *w, slices *s, int64_t rows,
                                const float *a, int64_t lda, float *c, int64_t ldc,
                                systole_stats *stats) {
  systole_engine *engine = w->engine;
  const systole_opencl_runtime *cl = engine->cl;
  const size_t a_row = (size_t)w->k * sizeof *a, c_row = (size_t)w->n * sizeof *c;
  cl_event there = NULL, back = NULL;
  for (int64_t i = 0; i < rows; i++) memcpy(s->packed + i * w->k, a + i * lda, a_row);
  cl_int code = cl->EnqueueWriteBuffer(engine->queue, s->a, CL_TRUE, 0,
                                       (size_t)rows * a_row, s->packed, 0, NULL, &there);
  systole_status status =
      code == CL_SUCCESS ? SYSTOLE_OK : systole_opencl_failed(code, "copy A there");
  if (status == SYSTOLE_OK) {
    const double start = systole_wall_seconds();
    const int refusal =
        sgemm(RowMajor, NoTranspose, NoTranspose, (size_t)rows, (size_t)w->n,
              (size_t)w->k, 1.0F, s->a, 0, (size_t)w->k, w->b, 0, (size_t)w->n, 0.0F,
              s->c, 0, (size_t)w->n, &engine->queue, NULL);
    /* Also after a failure: parts of it may be under way. */
    code = cl->Finish(engine->queue);
    stats->compute_s += systole_wall_seconds() - start;
    if (refusal != 0) {
      status = refused(refusal, "multiply");
    } else if (code != CL_SUCCESS) {
      status = systole_opencl_failed(code, "multiply");
    }
  }
  if (status == SYSTOLE_OK) {
    code = cl->EnqueueReadBuffer(engine->queue, s->c, CL_TRUE, 0, (size_t)rows * c_row,
                                 s->sums, 0, NULL, &back);
    if (code != CL_SUCCESS) status = systole_opencl_failed(code, "copy C back");
  }
  stats->transfer_s +=
      systole_opencl_event_seconds(there) + systole_opencl_event_seconds(back);
  for (int64_t i = 0; i < rows && status == SYSTOLE_OK; i++) {
    memcpy(c + i * ldc, s->sums + i * w->n, c_row);
    for (int64_t j = 0; j < w->n && w->bias != NULL; j++) c[i * ldc + j] += w->bias[j];
  }
  return status;
}

static systole_status gemm_f32(const systole_engine_weights *weights, int64_t m,
                               const float *a, int64_t lda, float *c, int64_t ldc,
                               systole_stats *stats) {
  systole_engine *engine = weights->engine;
  const uint64_t row_macs = (uint64_t)weights->n * (uint64_t)weights->k;
  const double start = systole_wall_seconds();
  slices s;
  systole_status status = slices_make(&s, weights, m);
  for (int64_t i = 0; i < m && status == SYSTOLE_OK; i += s.rows) {
    const int64_t rows = m - i < s.rows ? m - i : s.rows;
    status = one_slice(weights, &s, rows, a + i * lda, lda, c + i * ldc, ldc, stats);
    if (status == SYSTOLE_OK && engine->progress != NULL && i + rows < m &&
        engine->progress(engine->progress_user, (uint64_t)(i + rows) * row_macs,
                         (uint64_t)m * row_macs) != 0) {
      status = systole_fail(SYSTOLE_ERR_INTERRUPTED, "stopped after %lld of %lld rows",
                            (long long)(i + rows), (long long)m);
    }
  }
  slices_free(&s, engine);
  stats->seconds = systole_wall_seconds() - start;
  const double host_s = stats->seconds - stats->transfer_s - stats->compute_s;
  stats->host_share = stats->seconds > 0 && host_s > 0 ? host_s / stats->seconds : 0;
  stats->gops =
      stats->seconds > 0 ? 2e-9 * (double)m * (double)row_macs / stats->seconds : 0;
  stats->kernel = "clblast-sgemm";
  return status;
}

/* One product with sizes of no tile: integers exactly, fractions within the bound. */
static systole_status selftest(systole_engine *engine) {
  enum { M = 19, N = 23, K = 37 };
  float a[M * K], b[K * N], c[M * N];
  systole_status status = SYSTOLE_OK;
  for (int integers = 1; integers >= 0 && status == SYSTOLE_OK; integers--) {
    uint32_t state = 1;
    for (int i = 0; i < M * K + K * N; i++) {
      state = state * 1664525U + 1013904223U; /* Numerical Recipes' generator */
      const float fraction = (float)((int32_t)(state >> 7) - (1 << 24)) * 0x1p-24F;
      const float value = integers ? rintf(fraction * 100) : fraction;
      if (i < M * K) a[i] = value;
      if (i >= M * K) b[i - M * K] = value;
    }
    systole_engine_weights *weights = NULL;
    systole_stats stats;
    memset(&stats, 0, sizeof stats);
    status = prepare_f32(&weights, engine, N, K, b, N, NULL);
    if (status == SYSTOLE_OK) status = gemm_f32(weights, M, a, K, c, N, &stats);
    weights_free(weights);
    for (int i = 0; i < M * N && status == SYSTOLE_OK; i++) {
      double sum = 0, size = 0;
      for (int k = 0; k < K; k++) {
        const double product = (double)a[i / N * K + k] * (double)b[k * N + i % N];
        sum += product;
        size += fabs(product);
      }
      const double bound = systole_format_bound(SYSTOLE_FORMAT_F32, K) * size;
      if (!(fabs((double)c[i] - sum) <= (integers ? 0 : bound))) {
        status = systole_fail(SYSTOLE_ERR_DEVICE,
                              "%s computes float32 products wrongly by CLBlast; its "
                              "driver is not to be trusted",
                              engine->device.name);
      }
    }
  }
  return status;
}

static void set_progress(systole_engine *engine, systole_progress progress, void *user) {
  engine->progress = progress;
  engine->progress_user = user;
}

static void draws(const systole_engine *engine, systole_energy_of *of,
                  char address[SYSTOLE_ENERGY_ADDRESS]) {
  systole_opencl_draws(engine->cl, &engine->device, of, address);
}

const systole_engine_ops systole_engine_opencl_float = {
    .version = SYSTOLE_ENGINE_VERSION,
    .kind = "gpu",
    .list = list,
    .claims = claims,
    .open = open_engine,
    .close = close_engine,
    .geometry = geometry,
    .weights_free = weights_free,
    .set_progress = set_progress,
    .format = format_of,
    .prepare_f32 = prepare_f32,
    .gemm_f32 = gemm_f32,
    .draws = draws,
};
