/* oneDNN's float products: its sgemm for tall ones, its matmul with packed weights for
 * few rows, where packing B anew each time would take as long as the product (docs/cpu.md
 * has the measurements), and matmul for bfloat16. */
#include "float_kernel.h"

#ifdef SYSTOLE_HAVE_ONEDNN
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "onednn_desc.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  IsaBf16 = 0x80, /* bit of dnnl_cpu_isa_t (dnnl_types.h): AVX512_BF16 */
  /* Up to so many rows the packed form wins, on one thread of a Zen 5: 64 x 4096 x 784
   * 249 against 217 GFLOP/s, 1024^3 202 against 230. */
  PackedRows = 256,
  Cached = 4, /* sizes of M whose primitives are kept */
  Tile = 64,  /* rows or columns */
  LeastStep = 128,
};

/* A matmul for one M, with the weights as it wants them. */
typedef struct made {
  int64_t m, lda, ldc;
  uint64_t used; /* for finding the one that waited longest */
  memory_desc source, plain, any, result;
  dnnl_primitive_desc_t what, what_reorder;
  dnnl_primitive_t matmul, reorder;
  dnnl_memory_t a, packed, plain_b, c;
} made;

struct systole_float_weights {
  systole_format format;
  systole_pool *pool; /* NULL: one thread */
  int threads;
  int64_t n, k;
  void *b; /* K x N without gaps */
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  made made[Cached];
  uint64_t uses;
};

static dnnl_data_type_t type_of(systole_format format) {
  return format == SYSTOLE_FORMAT_F32 ? dnnl_f32 : dnnl_bf16;
}

static void discard(made *m) {
  dnnl_memory_t memories[] = {m->a, m->packed, m->plain_b, m->c};
  for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
    if (memories[i] != NULL) dnnl_memory_destroy(memories[i]);
  }
  if (m->matmul != NULL) dnnl_primitive_destroy(m->matmul);
  if (m->reorder != NULL) dnnl_primitive_destroy(m->reorder);
  if (m->what != NULL) dnnl_primitive_desc_destroy(m->what);
  if (m->what_reorder != NULL) dnnl_primitive_desc_destroy(m->what_reorder);
  free_desc(&m->source);
  free_desc(&m->plain);
  free_desc(&m->any);
  free_desc(&m->result);
  memset(m, 0, sizeof *m);
}

static void weights_free(systole_float_weights *weights) {
  if (weights == NULL) return;
  for (int i = 0; i < Cached; i++) discard(&weights->made[i]);
  if (weights->stream != NULL) dnnl_stream_destroy(weights->stream);
  if (weights->engine != NULL) dnnl_engine_destroy(weights->engine);
  systole_release(weights->b);
  free(weights);
}

static systole_status failed(dnnl_status_t s, const systole_float_weights *w, int64_t m) {
  return systole_fail(s == dnnl_out_of_memory   ? SYSTOLE_ERR_HOST_MEMORY
                      : s == dnnl_unimplemented ? SYSTOLE_ERR_UNSUPPORTED
                                                : SYSTOLE_ERR_INTERNAL,
                      "oneDNN refused a %s product of %lld x %lld x %lld with status %d",
                      systole_format_name(w->format), (long long)m, (long long)w->n,
                      (long long)w->k, (int)s);
}

static systole_status prepare(systole_float_weights **out, systole_format format,
                              systole_pool *pool, int threads, int64_t n, int64_t k,
                              const void *b) {
  *out = NULL;
  systole_float_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->format = format;
  weights->pool = pool;
  weights->threads = threads;
  weights->n = n;
  weights->k = k;
  const uint64_t element = format == SYSTOLE_FORMAT_F32 ? 4 : 2;
  systole_status status =
      systole_allocate(&weights->b, (uint64_t)n * (uint64_t)k, element, "weights");
  if (status == SYSTOLE_OK) {
    memcpy(weights->b, b, (size_t)n * (size_t)k * element);
    dnnl_status_t s = dnnl_engine_create(&weights->engine, dnnl_cpu, 0);
    if (s == dnnl_success) {
      s = dnnl_stream_create(&weights->stream, weights->engine,
                             dnnl_stream_default_flags);
    }
    if (s != dnnl_success) status = failed(s, weights, 0);
  }
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  *out = weights;
  return SYSTOLE_OK;
}

static systole_status prepare_f32(systole_float_weights **out, systole_pool *pool,
                                  int threads, int64_t n, int64_t k, const void *b) {
  return prepare(out, SYSTOLE_FORMAT_F32, pool, threads, n, k, b);
}

static systole_status prepare_bf16(systole_float_weights **out, systole_pool *pool,
                                   int threads, int64_t n, int64_t k, const void *b) {
  return prepare(out, SYSTOLE_FORMAT_BF16, pool, threads, n, k, b);
}

static dnnl_status_t describe(made *m, const systole_float_weights *w) {
  const dnnl_data_type_t type = type_of(w->format);
  const dnnl_dims_t a = {m->m, w->k}, b = {w->k, w->n}, c = {m->m, w->n};
  const dnnl_dims_t a_strides = {m->lda, 1}, b_strides = {w->n, 1};
  const dnnl_dims_t c_strides = {m->ldc, 1};
  dnnl_status_t s = make_desc(&m->source, 2, a, type, a_strides);
  if (s == dnnl_success) s = make_desc(&m->plain, 2, b, type, b_strides);
  if (s == dnnl_success) s = make_desc(&m->any, 2, b, type, NULL);
  if (s == dnnl_success) s = make_desc(&m->result, 2, c, dnnl_f32, c_strides);
  if (s != dnnl_success) return s;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_matmul_primitive_desc_create(&m->what, w->engine, m->source, m->any, NULL,
                                           m->result, NULL);
#else
  dnnl_matmul_desc_t desc;
  s = dnnl_matmul_desc_init(&desc, &m->source, &m->any, NULL, &m->result);
  return s == dnnl_success
             ? dnnl_primitive_desc_create(&m->what, &desc, NULL, w->engine, NULL)
             : s;
#endif
}

static dnnl_status_t make(made *m, systole_float_weights *w) {
  dnnl_status_t s = describe(m, w);
  if (s == dnnl_success) s = dnnl_primitive_create(&m->matmul, m->what);
  if (s != dnnl_success) return s;
  borrowed_desc packed = dnnl_primitive_desc_query_md(m->what, dnnl_query_weights_md, 0);
  s = dnnl_memory_create(&m->a, BORROW(m->source), w->engine, DNNL_MEMORY_NONE);
  if (s == dnnl_success) {
    s = dnnl_memory_create(&m->c, BORROW(m->result), w->engine, DNNL_MEMORY_NONE);
  }
  if (s == dnnl_success) {
    s = dnnl_memory_create(&m->plain_b, BORROW(m->plain), w->engine, w->b);
  }
  if (s == dnnl_success) {
    s = dnnl_memory_create(&m->packed, packed, w->engine, DNNL_MEMORY_ALLOCATE);
  }
  if (s == dnnl_success) {
    s = make_reorder(&m->what_reorder, &m->reorder, BORROW(m->plain), packed, w->engine);
  }
  if (s == dnnl_success) s = move(m->reorder, w->stream, m->plain_b, m->packed);
  return s == dnnl_success ? dnnl_stream_wait(w->stream) : s;
}

/* The matmul for this M, made if need be. */
static dnnl_status_t find(made **out, systole_float_weights *w, int64_t m, int64_t lda,
                          int64_t ldc, double *prepare_s) {
  made *oldest = &w->made[0];
  for (int i = 0; i < Cached; i++) {
    made *at = &w->made[i];
    if (at->matmul != NULL && at->m == m && at->lda == lda && at->ldc == ldc) {
      at->used = ++w->uses;
      *out = at;
      return dnnl_success;
    }
    if (at->used < oldest->used) oldest = at;
  }
  const double began = systole_wall_seconds();
  discard(oldest);
  oldest->m = m;
  oldest->lda = lda;
  oldest->ldc = ldc;
  const dnnl_status_t s = make(oldest, w);
  if (s == dnnl_success) {
    oldest->used = ++w->uses;
    *out = oldest;
  } else {
    discard(oldest);
  }
  *prepare_s += systole_wall_seconds() - began;
  return s;
}

static dnnl_status_t matmul(systole_float_weights *w, int64_t m, const void *a,
                            int64_t lda, float *c, int64_t ldc, double *prepare_s) {
  made *at = NULL;
  dnnl_status_t s = find(&at, w, m, lda, ldc, prepare_s);
  /* oneDNN's interface takes operands that it only reads as void *. */
  if (s == dnnl_success) s = dnnl_memory_set_data_handle(at->a, (void *)(uintptr_t)a);
  if (s == dnnl_success) s = dnnl_memory_set_data_handle(at->c, c);
  if (s != dnnl_success) return s;
  const dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, at->a}, {DNNL_ARG_WEIGHTS, at->packed}, {DNNL_ARG_DST, at->c}};
  s = dnnl_primitive_execute(at->matmul, w->stream, 3, arguments);
  return s == dnnl_success ? dnnl_stream_wait(w->stream) : s;
}

/* ---- tall products -------------------------------------------------------------------
 */

/* A part of C for each task: threads of our own take them, because a loop of OpenMP ends
 * only when every thread has come by (pool.h). Measured with ten other programs on two
 * cores: 117 GFLOP per CPU second by OpenMP. */
typedef struct tall {
  const systole_float_weights *weights;
  int64_t m, lda, ldc;
  const float *a;
  float *c;
  int64_t tasks, step; /* rows or columns of one task */
  int by_rows;
  dnnl_status_t status; /* of a task that failed */
} tall;

static void run_task(void *user, int64_t task, int thread) {
  tall *of = user;
  const systole_float_weights *w = of->weights;
  const int64_t first = task * of->step;
  const int64_t rest = (of->by_rows ? of->m : w->n) - first;
  const int64_t size = rest < of->step ? rest : of->step;
  const float *b = w->b;
  (void)thread;
  omp_set_num_threads(1); /* of this thread alone */
  const dnnl_status_t s =
      of->by_rows ? dnnl_sgemm('N', 'N', size, w->n, w->k, 1.0F, of->a + first * of->lda,
                               of->lda, b, w->n, 0.0F, of->c + first * of->ldc, of->ldc)
                  : dnnl_sgemm('N', 'N', of->m, size, w->k, 1.0F, of->a, of->lda,
                               b + first, w->n, 0.0F, of->c + first, of->ldc);
  if (s != dnnl_success) {
    __atomic_store_n(&of->status, s, __ATOMIC_RELAXED);
  }
}

static dnnl_status_t multiply_tall(const systole_float_weights *w, int threads, int64_t m,
                                   const float *a, int64_t lda, float *c, int64_t ldc) {
  tall of = {.weights = w,
             .m = m,
             .lda = lda,
             .ldc = ldc,
             .a = a,
             .c = c,
             .by_rows = m > w->n,
             .status = dnnl_success};
  const int64_t size = of.by_rows ? m : w->n;
  /* Each task packs the whole of one operand, so there are few; multiples of the widest
   * register tile leave no narrow one. */
  const int64_t wanted = threads > 1 ? 4 * (int64_t)threads : 1;
  of.step = (size / wanted + Tile - 1) / Tile * Tile;
  if (of.step < LeastStep) of.step = LeastStep;
  of.tasks = (size + of.step - 1) / of.step;
  if (w->pool != NULL) {
    systole_pool_run(w->pool, threads, of.tasks, run_task, &of);
  } else {
    for (int64_t task = 0; task < of.tasks; task++) run_task(&of, task, 0);
  }
  return of.status;
}

static systole_status gemm(systole_float_weights *weights, int64_t m, const void *a,
                           int64_t lda, float *c, int64_t ldc, const char **name,
                           double *prepare_s) {
  /* OpenMP's count belongs to the calling thread, whose owner may use OpenMP too. */
  const int before = omp_get_max_threads();
  const int threads = systole_float_threads(weights->threads, m, weights->n, weights->k);
  dnnl_status_t s;
  if (weights->format == SYSTOLE_FORMAT_F32 && m > PackedRows) {
    *name = "onednn-sgemm";
    s = multiply_tall(weights, weights->pool != NULL ? threads : 1, m, a, lda, c, ldc);
  } else {
    *name = weights->format == SYSTOLE_FORMAT_F32 ? "onednn-matmul-f32"
                                                  : "onednn-matmul-bf16";
    omp_set_num_threads(threads);
    s = matmul(weights, m, a, lda, c, ldc, prepare_s);
  }
  omp_set_num_threads(before);
  return s == dnnl_success ? SYSTOLE_OK : failed(s, weights, m);
}

static int usable_f32(const char **why) {
  *why = "";
  return 1;
}

static int usable_bf16(const char **why) {
  const int yes = ((int)dnnl_get_effective_cpu_isa() & IsaBf16) != 0;
  *why = yes ? "" : "a CPU with AVX512_BF16 or AMX; this one would only imitate bfloat16";
  return yes;
}

const systole_float_kernel systole_float_onednn = {.name = "onednn",
                                                   .format = SYSTOLE_FORMAT_F32,
                                                   .usable = usable_f32,
                                                   .prepare = prepare_f32,
                                                   .weights_free = weights_free,
                                                   .gemm = gemm};
const systole_float_kernel systole_float_onednn_bf16 = {.name = "onednn",
                                                        .format = SYSTOLE_FORMAT_BF16,
                                                        .usable = usable_bf16,
                                                        .prepare = prepare_bf16,
                                                        .weights_free = weights_free,
                                                        .gemm = gemm};
#else

static int usable(const char **why) {
  *why = "a build with oneDNN (install libdnnl-dev and configure again)";
  return 0;
}

const systole_float_kernel systole_float_onednn = {
    .name = "onednn", .format = SYSTOLE_FORMAT_F32, .usable = usable};
const systole_float_kernel systole_float_onednn_bf16 = {
    .name = "onednn", .format = SYSTOLE_FORMAT_BF16, .usable = usable};

#endif
