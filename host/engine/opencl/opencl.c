/* OpenCL devices as an engine: "opencl" (the best device) and "opencl:<part of a name>".
 *
 * Weights and column parameters are copied to the device when they are prepared; a
 * product copies A there and C back. Rows of A go in slices, so that large products fit
 * and report progress. Times: `seconds` is end to end as the caller sees it; compute_s
 * and transfer_s are the device's own, from profiling events.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choose.h"
#include "engine/engine.h"
#include "engine/epilogue.h"
#include "program.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  /* MACs of a slice: 0.1 s on a slow device, and far beyond what a fast one needs to be
   * busy. */
  SliceMacs = INT32_MAX
};

struct systole_engine {
  const systole_opencl_runtime *cl;
  systole_opencl_device device;
  cl_context context;
  cl_command_queue queue;
  systole_opencl_program program;
  systole_progress progress;
  void *progress_user;
};

struct systole_engine_weights {
  systole_engine *engine;
  int64_t n, k, n_padded, k_padded;
  systole_epilogue epilogue;
  void *epilogue_memory;
  cl_mem b, bias, multiplier, shift;
};

/* ---- names ---------------------------------------------------------------------------
 */

static int claims(const char *name) {
  return strcmp(name, "opencl") == 0 || strncmp(name, "opencl:", 7) == 0;
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  systole_opencl_device devices[SystoleOpenclDevices];
  const char *why = "";
  const int count = systole_opencl_devices(devices, &why);
  if (count == 0) {
    const systole_device_info info = {"opencl", "gpu", "a GPU through OpenCL", 0, why};
    add(user, &info);
  }
  for (int i = 0; i < count; i++) {
    char name[128], about[256];
    snprintf(name, sizeof name, i == 0 ? "opencl" : "opencl:%s", devices[i].name);
    snprintf(about, sizeof about, "%s, %u compute units, by %s%s", devices[i].name,
             devices[i].units, devices[i].platform_name,
             devices[i].functional ? "; a CPU plays the device: for tests, not for speed"
                                   : "");
    const systole_device_info info = {name, devices[i].functional ? "functional" : "gpu",
                                      about, 1, ""};
    add(user, &info);
  }
}

/* ---- opening -------------------------------------------------------------------------
 */

static void close_engine(systole_engine *engine) {
  if (engine == NULL) return;
  systole_opencl_program_free(&engine->program);
  if (engine->queue != NULL) engine->cl->ReleaseCommandQueue(engine->queue);
  if (engine->context != NULL) engine->cl->ReleaseContext(engine->context);
  free(engine);
}

static systole_status open_engine(systole_engine **out, const char *name,
                                  const systole_device_options *options) {
  (void)options; /* all of them are for simulated devices and CPU threads */
  *out = NULL;
  const char *what = strcmp(name, "opencl") == 0 ? NULL : name + strlen("opencl:");
  systole_opencl_device device;
  systole_status status = systole_opencl_choose(&device, what);
  if (status != SYSTOLE_OK) return status;
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
  status = code == CL_SUCCESS
               ? systole_opencl_program_make(&engine->program, &engine->device,
                                             engine->context, engine->queue)
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

/* ---- weights -------------------------------------------------------------------------
 */

static void weights_free(systole_engine_weights *weights) {
  if (weights == NULL) return;
  cl_mem buffers[] = {weights->b, weights->bias, weights->multiplier, weights->shift};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    if (buffers[i] != NULL) weights->engine->cl->ReleaseMemObject(buffers[i]);
  }
  free(weights->epilogue_memory);
  free(weights);
}

static systole_status upload(cl_mem *out, systole_engine *engine, const void *data,
                             uint64_t bytes) {
  cl_int code = CL_SUCCESS;
  if (bytes > engine->device.largest_buffer) {
    return systole_fail(
        SYSTOLE_ERR_DEVICE_MEMORY,
        "%llu bytes of weights are more than %s takes in one buffer (%llu)",
        (unsigned long long)bytes, engine->device.name,
        (unsigned long long)engine->device.largest_buffer);
  }
  *out = engine->cl->CreateBuffer(engine->context, CL_MEM_READ_ONLY, bytes, NULL, &code);
  if (code != CL_SUCCESS) return systole_opencl_failed(code, "allocate weights");
  code = engine->cl->EnqueueWriteBuffer(engine->queue, *out, CL_TRUE, 0, bytes, data, 0,
                                        NULL, NULL);
  return code == CL_SUCCESS ? SYSTOLE_OK
                            : systole_opencl_failed(code, "copy weights to the device");
}

/* Four rows of a column of B form a word; see gemm_int8.cl. */
static void pack_b(int8_t *out, const systole_engine_weights *weights, const int8_t *b,
                   int64_t ldb) {
  for (int64_t k = 0; k < weights->k; k++) {
    int8_t *words = out + k / 4 * 4 * weights->n_padded + k % 4;
    for (int64_t j = 0; j < weights->n; j++) words[4 * j] = b[k * ldb + j];
  }
}

static systole_status upload_columns(systole_engine_weights *weights) {
  const systole_epilogue *epilogue = &weights->epilogue;
  int32_t *columns = NULL;
  systole_status status = systole_allocate_zeroed((void **)&columns, (uint64_t)weights->n,
                                                  sizeof *columns, "column parameters");
  const uint64_t bytes = (uint64_t)weights->n * sizeof *columns;
  if (status == SYSTOLE_OK) {
    status = upload(&weights->bias, weights->engine,
                    epilogue->bias != NULL ? epilogue->bias : columns, bytes);
  }
  if (status == SYSTOLE_OK) {
    status = upload(&weights->multiplier, weights->engine,
                    epilogue->multiplier != NULL ? epilogue->multiplier : columns, bytes);
  }
  if (status == SYSTOLE_OK) {
    for (int64_t j = 0; j < weights->n && epilogue->multiplier != NULL; j++) {
      columns[j] = epilogue->shift[j];
    }
    status = upload(&weights->shift, weights->engine, columns, bytes);
  }
  systole_release(columns);
  return status;
}

static systole_status prepare(systole_engine_weights **out, systole_engine *engine,
                              int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  *out = NULL;
  if (n > INT32_MAX - SystoleOpenclTile || k > INT32_MAX - SystoleOpenclStep) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "N = %lld and K = %lld: the OpenCL kernel counts with 31 bits",
                        (long long)n, (long long)k);
  }
  systole_engine_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  int8_t *packed = NULL;
  weights->engine = engine;
  weights->n = n;
  weights->k = k;
  weights->n_padded = (int64_t)systole_round_up((uint64_t)n, SystoleOpenclTile);
  weights->k_padded = (int64_t)systole_round_up((uint64_t)k, SystoleOpenclStep);
  systole_status status =
      systole_epilogue_copy(&weights->epilogue, &weights->epilogue_memory, epilogue, n);
  /* Without columns there is nothing to compute, and OpenCL has no empty buffers. */
  if (status == SYSTOLE_OK && n > 0) status = upload_columns(weights);
  if (status == SYSTOLE_OK && n > 0 && k > 0) {
    status = systole_allocate_zeroed((void **)&packed, (uint64_t)weights->k_padded,
                                     (uint64_t)weights->n_padded, "packed weights");
    if (status == SYSTOLE_OK) {
      pack_b(packed, weights, b, ldb);
      status = upload(&weights->b, engine, packed,
                      (uint64_t)weights->k_padded * (uint64_t)weights->n_padded);
    }
  }
  systole_release(packed);
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

/* ---- products ------------------------------------------------------------------------
 */

/* Rows of a slice: enough work, small enough for the device's largest buffer. */
static int64_t slice_rows(const systole_engine_weights *weights, int64_t m) {
  const uint64_t row_macs = (uint64_t)weights->n * (uint64_t)weights->k + 1;
  const uint64_t row_bytes = (uint64_t)weights->k_padded > 4 * (uint64_t)weights->n
                                 ? (uint64_t)weights->k_padded
                                 : 4 * (uint64_t)weights->n;
  uint64_t rows = (uint64_t)SliceMacs / row_macs;
  const uint64_t room = weights->engine->device.largest_buffer / (row_bytes + 1);
  if (rows > room) rows = room;
  rows = rows / SystoleOpenclTile * SystoleOpenclTile;
  if (rows < SystoleOpenclTile) rows = SystoleOpenclTile;
  const uint64_t all = systole_round_up((uint64_t)m, SystoleOpenclTile);
  return (int64_t)(rows < all ? rows : all);
}

typedef struct slices {
  int64_t rows;   /* of one slice */
  int8_t *packed; /* host memory of one slice of A: rows x k_padded */
  void *results;  /* of one slice of C, without gaps */
  cl_mem a, c;
} slices;

static void slices_free(slices *s, const systole_engine *engine) {
  if (s->a != NULL) engine->cl->ReleaseMemObject(s->a);
  if (s->c != NULL) engine->cl->ReleaseMemObject(s->c);
  systole_release(s->packed);
  systole_release(s->results);
}

static systole_status slices_make(slices *s, const systole_engine_weights *weights,
                                  int64_t m, size_t element) {
  systole_engine *engine = weights->engine;
  cl_int code = CL_SUCCESS;
  *s = (slices){.rows = slice_rows(weights, m)};
  systole_status status =
      systole_allocate_zeroed((void **)&s->packed, (uint64_t)s->rows,
                              (uint64_t)weights->k_padded, "a slice of A");
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&s->results, (uint64_t)s->rows * (uint64_t)weights->n,
                              element, "a slice of C");
  }
  if (status != SYSTOLE_OK) return status;
  s->a = engine->cl->CreateBuffer(engine->context, CL_MEM_READ_ONLY,
                                  (size_t)(s->rows * weights->k_padded), NULL, &code);
  if (code == CL_SUCCESS) {
    s->c =
        engine->cl->CreateBuffer(engine->context, CL_MEM_WRITE_ONLY,
                                 (size_t)(s->rows * weights->n) * element, NULL, &code);
  }
  return code == CL_SUCCESS ? SYSTOLE_OK
                            : systole_opencl_failed(code, "allocate a slice of A and C");
}

/* `rows` rows of A -> the same rows of C. */
static systole_status one_slice(const systole_engine_weights *weights, slices *s,
                                int64_t rows, const int8_t *a, int64_t lda, void *c,
                                int64_t ldc, size_t element, systole_stats *stats) {
  systole_engine *engine = weights->engine;
  const systole_opencl_runtime *cl = engine->cl;
  cl_event events[3] = {NULL, NULL, NULL};
  const systole_opencl_product product = {
      .m = (cl_int)rows,
      .n = (cl_int)weights->n,
      .n_padded = (cl_int)weights->n_padded,
      .words = (cl_int)(weights->k_padded / 4),
      .a = s->a,
      .b = weights->b,
      .c = s->c,
      .bias = weights->bias,
      .multiplier = weights->multiplier,
      .shift = weights->shift,
      .requantise = weights->epilogue.multiplier != NULL,
      .zero_point = weights->epilogue.zero_point,
      .clamp_low = weights->epilogue.clamp_low,
      .clamp_high = weights->epilogue.clamp_high};
  for (int64_t i = 0; i < rows; i++) {
    memcpy(s->packed + i * weights->k_padded, a + i * lda, (size_t)weights->k);
  }
  cl_int code = cl->EnqueueWriteBuffer(engine->queue, s->a, CL_FALSE, 0,
                                       (size_t)(rows * weights->k_padded), s->packed, 0,
                                       NULL, &events[0]);
  if (code == CL_SUCCESS) {
    code = systole_opencl_launch(&engine->program, engine->queue, &product, &events[1]);
  }
  if (code == CL_SUCCESS) {
    code = cl->EnqueueReadBuffer(engine->queue, s->c, CL_FALSE, 0,
                                 (size_t)(rows * weights->n) * element, s->results, 0,
                                 NULL, &events[2]);
  }
  /* Also after a failure: what was enqueued uses our memory. */
  const cl_int finished = cl->Finish(engine->queue);
  if (code == CL_SUCCESS) code = finished;
  stats->transfer_s +=
      systole_opencl_event_seconds(events[0]) + systole_opencl_event_seconds(events[2]);
  stats->compute_s += systole_opencl_event_seconds(events[1]);
  if (code != CL_SUCCESS) return systole_opencl_failed(code, "compute a product");
  for (int64_t i = 0; i < rows; i++) {
    memcpy((unsigned char *)c + (size_t)(i * ldc) * element,
           (unsigned char *)s->results + (size_t)(i * weights->n) * element,
           (size_t)weights->n * element);
  }
  return SYSTOLE_OK;
}

/* K = 0: sums are zero, and there is no buffer of weights. */
static void without_k(const systole_engine_weights *weights, int64_t m, void *c,
                      int64_t ldc) {
  const systole_epilogue *epilogue = &weights->epilogue;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < weights->n; j++) {
      const int32_t bias = epilogue->bias != NULL ? epilogue->bias[j] : 0;
      if (epilogue->multiplier == NULL) {
        ((int32_t *)c)[i * ldc + j] = bias;
      } else {
        ((int8_t *)c)[i * ldc + j] = systole_epilogue_value(
            0, bias, epilogue->multiplier[j], epilogue->shift[j], epilogue->zero_point,
            epilogue->clamp_low, epilogue->clamp_high);
      }
    }
  }
}

static systole_status gemm(const systole_engine_weights *weights, int64_t m,
                           const int8_t *a, int64_t lda, void *c, int64_t ldc,
                           systole_stats *stats) {
  systole_engine *engine = weights->engine;
  const size_t element = weights->epilogue.multiplier != NULL ? 1 : sizeof(int32_t);
  const uint64_t row_macs = (uint64_t)weights->n * (uint64_t)weights->k;
  systole_status status = SYSTOLE_OK;
  const double start = systole_wall_seconds();
  if (m == 0 || weights->n == 0) return SYSTOLE_OK;
  if (weights->k == 0) {
    without_k(weights, m, c, ldc);
  } else {
    slices s;
    status = slices_make(&s, weights, m, element);
    for (int64_t i = 0; i < m && status == SYSTOLE_OK; i += s.rows) {
      const int64_t rows = m - i < s.rows ? m - i : s.rows;
      status = one_slice(weights, &s, rows, a + i * lda, lda,
                         (unsigned char *)c + (size_t)(i * ldc) * element, ldc, element,
                         stats);
      if (status == SYSTOLE_OK && engine->progress != NULL && i + rows < m &&
          engine->progress(engine->progress_user, (uint64_t)(i + rows) * row_macs,
                           (uint64_t)m * row_macs) != 0) {
        status = systole_fail(SYSTOLE_ERR_INTERRUPTED, "stopped after %lld of %lld rows",
                              (long long)(i + rows), (long long)m);
      }
    }
    slices_free(&s, engine);
  }
  stats->seconds = systole_wall_seconds() - start;
  stats->gops =
      stats->seconds > 0 ? 2e-9 * (double)m * (double)row_macs / stats->seconds : 0;
  stats->kernel = engine->program.name;
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

static void draws(const systole_engine *engine, systole_energy_of *of,
                  char address[SYSTOLE_ENERGY_ADDRESS]) {
  systole_opencl_draws(engine->cl, &engine->device, of, address);
}

const systole_engine_ops systole_engine_opencl = {
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
    .card_ops = card_ops,
    .measured_peak_gops = NULL,
    .draws = draws,
};
