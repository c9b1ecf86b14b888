#include "engine/accelerator/accelerator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/record/record.h"
#include "energy/energy.h"
#include "engine/epilogue.h"
#include "program/pack.h"
#include "program/program.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  kPrograms =
      4, /* that weights remember: a few batch sizes, or whole and last runs of one */
  /* Host memory through which packed blocks go to and from the device: beyond the caches,
   * so that calls are few, and small beside the matrices. */
  kStagingBytes = 4 << 20
};

struct systole_engine {
  systole_run_context context;
  systole_geometry geometry;
  systole_memory_timing memory;    /* ideal where it is not known */
  uint64_t scratch, scratch_bytes; /* gmem0: A and C of a run */
  void *staging;
  uint64_t staging_bytes;
};

typedef struct cached_program {
  systole_program *program; /* NULL: the slot is free */
  uint64_t address;         /* gmem1 */
  uint64_t used;            /* at this tick */
} cached_program;

struct systole_engine_weights {
  systole_engine *engine;
  systole_weights_layout layout;
  systole_epilogue epilogue;
  void *epilogue_memory;
  uint64_t address; /* gmem1 */
  cached_program programs[kPrograms];
  uint64_t tick;
  int short_programs; /* device memory is short: no plan with more instructions */
};

/* ---- opening ----------------------------------------------------------------------- */

/* Sizes come from the device, so that one host program drives every build. */
static systole_status read_geometry(const systole_card_ops *ops, systole_card *card,
                                    systole_geometry *out) {
  static const uint32_t offsets[] = {SYSTOLE_REG_IDENTITY, SYSTOLE_REG_VERSION,
                                     SYSTOLE_REG_GEOMETRY, SYSTOLE_REG_UB_ROWS,
                                     SYSTOLE_REG_ACC_ROWS, SYSTOLE_REG_WEIGHT_TILES,
                                     SYSTOLE_REG_FEATURES};
  enum { kIdentity, kVersion, kGeometry, kUbRows, kAccRows, kTiles, kFeatures, kCount };
  uint32_t value[kCount] = {0};
  for (int i = 0; i < kCount; i++) {
    systole_status status = ops->read_register(card, offsets[i], &value[i]);
    if (status != SYSTOLE_OK) return status;
  }
  if (value[kIdentity] != SYSTOLE_IDENTITY_VALUE) {
    return systole_fail(
        SYSTOLE_ERR_DEVICE,
        "its identity register reads 0x%08x instead of 0x%08x: the card runs "
        "something else",
        value[kIdentity], SYSTOLE_IDENTITY_VALUE);
  }
  if ((value[kVersion] & 0xFFu) != SYSTOLE_ISA_VERSION) {
    return systole_fail(
        SYSTOLE_ERR_UNSUPPORTED,
        "it executes instruction set %u, this library makes %d: use versions "
        "that belong together",
        value[kVersion] & 0xFFu, SYSTOLE_ISA_VERSION);
  }
  systole_geometry g = {0};
  uint32_t dim_log2 = value[kGeometry] & 0xFFu, axi_log2 = value[kGeometry] >> 8 & 0xFFu;
  if (dim_log2 < 1 || dim_log2 > 10 || axi_log2 < 2 || axi_log2 > 6 ||
      value[kUbRows] < 2 || value[kAccRows] < 2 || value[kAccRows] % 2 != 0 ||
      value[kUbRows] > 1u << 24 || value[kAccRows] > 1u << 24 || value[kTiles] == 0) {
    return systole_fail(SYSTOLE_ERR_DEVICE,
                        "its geometry registers make no sense (0x%08x, %u, %u, %u)",
                        value[kGeometry], value[kUbRows], value[kAccRows], value[kTiles]);
  }
  g.dim = 1 << dim_log2;
  g.axi_bytes = 1 << axi_log2;
  g.weight_ports = (int)(value[kGeometry] >> 16 & 0xFFu);
  g.flat_array = (int)(value[kGeometry] >> 24 & 1u);
  g.ub_rows = value[kUbRows];
  g.acc_rows = value[kAccRows];
  g.weight_tiles = value[kTiles];
  g.features = value[kFeatures];
  *out = g;
  return SYSTOLE_OK;
}

static void close_engine(systole_engine *engine) {
  if (engine == NULL) return;
  const systole_run_context *c = &engine->context;
  if (engine->scratch_bytes > 0)
    c->ops->free(c->card, SYSTOLE_PORT_GMEM0, engine->scratch);
  systole_release(engine->staging);
  c->ops->close(c->card);
  systole_release(engine);
}

/* Real memory has no preset's name: plans for it are those for ideal memory. */
static systole_memory_timing timing_of(const systole_engine *engine) {
  const systole_run_context *c = &engine->context;
  systole_memory_timing timing = SYSTOLE_MEMORY_TIMING_IDEAL, found;
  systole_kind kind;
  if (engine->geometry.axi_bytes > 0 &&
      systole_memory_timing_of(&found, c->ops->memory_name(c->card),
                               engine->geometry.axi_bytes,
                               c->ops->clock_mhz(c->card, &kind)) == SYSTOLE_OK) {
    timing = found;
  }
  return timing;
}

/* The technology of the energy model; NULL in the context: the card's default. */
static systole_status choose_technology(systole_run_context *context,
                                        const systole_device_options *options) {
  if (options == NULL || options->technology == NULL) return SYSTOLE_OK;
  context->technology = systole_technology_named(options->technology);
  if (context->technology != NULL) return SYSTOLE_OK;
  char names[128] = "";
  size_t count = 0, used = 0;
  const systole_technology *all = systole_technology_list(&count);
  for (size_t i = 0; i < count && used < sizeof names; i++) {
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                             all[i].name);
  }
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "energy cannot be modelled in '%.32s'; the technologies are %s",
                      options->technology, names);
}

systole_status systole_accelerator_open(systole_engine **out, const systole_card_ops *ops,
                                        const char *what,
                                        const systole_device_options *options) {
  return systole_accelerator_on(out, ops, NULL, what, options);
}

systole_status systole_accelerator_on(systole_engine **out, const systole_card_ops *ops,
                                      systole_card *card, const char *what,
                                      const systole_device_options *options) {
  *out = NULL;
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_engine), "a device handle");
  if (status != SYSTOLE_OK) {
    ops->close(card);
    return status;
  }
  systole_engine *engine = memory;
  engine->context.card = card;
  engine->context.ops = ops;
  engine->context.geometry = &engine->geometry;
  if (options != NULL) engine->context.timeout_ms = options->timeout_ms;
  status = choose_technology(&engine->context, options);
  if (status == SYSTOLE_OK && card == NULL) {
    status = ops->open(&engine->context.card, what, options);
  }
  engine->context.timing_only = status == SYSTOLE_OK && ops->timing_only != NULL &&
                                ops->timing_only(engine->context.card);
  if (status == SYSTOLE_OK && options != NULL && options->timing_only &&
      !engine->context.timing_only) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "%s:%s computes what it runs; cycles without data are told by "
                          "the fast model, e.g. model:%d",
                          ops->scheme, what, 16);
  }
  if (status == SYSTOLE_OK && engine->context.timing_only && options != NULL &&
      options->record_path != NULL) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "a recording holds results, and without data there are none: "
                          "record with data");
  }
  if (status == SYSTOLE_OK && options != NULL && options->record_path != NULL) {
    char name[256];
    const systole_card_ops *recorder_ops;
    systole_card *recorder;
    (void)snprintf(name, sizeof name, "%s:%s", ops->scheme, what);
    status = systole_record_open(&recorder_ops, &recorder, ops, engine->context.card,
                                 name, options);
    if (status == SYSTOLE_OK) {
      engine->context.ops = recorder_ops;
      engine->context.card = recorder;
    }
  }
  if (status == SYSTOLE_OK) {
    status = read_geometry(engine->context.ops, engine->context.card, &engine->geometry);
    engine->memory = timing_of(engine);
    if (status != SYSTOLE_OK) systole_fail_in(status, "%s:%s", ops->scheme, what);
  }
  if (status == SYSTOLE_OK) {
    *out = engine;
  } else {
    close_engine(engine);
  }
  return status;
}

const systole_run_context *systole_accelerator_context(const systole_engine *engine) {
  return &engine->context;
}

/* The card row whose scheme stands before the colon, and what follows it. */
static const systole_card_ops *find_card(const char *name, const char **what) {
  const char *colon = strchr(name, ':');
  if (colon == NULL) return NULL;
  size_t length = (size_t)(colon - name), count;
  const systole_card_ops *const *rows = systole_card_rows(&count);
  for (size_t i = 0; i < count; i++) {
    if (strlen(rows[i]->scheme) == length && memcmp(rows[i]->scheme, name, length) == 0) {
      *what = colon + 1;
      return rows[i];
    }
  }
  return NULL;
}

static int claims(const char *name) {
  const char *what;
  return find_card(name, &what) != NULL;
}

static systole_status open_engine(systole_engine **out, const char *name,
                                  const systole_device_options *options) {
  const char *what = "";
  const systole_card_ops *ops = find_card(name, &what);
  return systole_accelerator_open(out, ops, what, options);
}

static void list(void (*add)(void *user, const systole_device_info *info), void *user) {
  size_t count;
  const systole_card_ops *const *rows = systole_card_rows(&count);
  for (size_t i = 0; i < count; i++) rows[i]->list(add, user);
}

static systole_status geometry(const systole_engine *engine, systole_geometry *out) {
  *out = engine->geometry;
  return SYSTOLE_OK;
}

static void set_progress(systole_engine *engine, systole_progress progress, void *user) {
  engine->context.progress = progress;
  engine->context.user = user;
}

static int timing_only(const systole_engine *engine) {
  return engine->context.timing_only;
}

static const systole_card_ops *card_ops(const systole_engine *engine,
                                        systole_card **card) {
  *card = engine->context.card;
  return engine->context.ops;
}

/* ---- memory ------------------------------------------------------------------------ */

static systole_status need_staging(systole_engine *engine, uint64_t bytes) {
  if (bytes <= engine->staging_bytes) return SYSTOLE_OK;
  systole_release(engine->staging);
  engine->staging_bytes = 0;
  systole_status status = systole_allocate(&engine->staging, bytes, 1, "packed matrices");
  if (status == SYSTOLE_OK) engine->staging_bytes = bytes;
  return status;
}

/* Device memory for A and C. What a smaller run left is freed first, so that the two
 * never have to fit together. */
static systole_status need_scratch(systole_engine *engine, uint64_t bytes) {
  const systole_run_context *c = &engine->context;
  if (bytes <= engine->scratch_bytes) return SYSTOLE_OK;
  if (engine->scratch_bytes > 0)
    c->ops->free(c->card, SYSTOLE_PORT_GMEM0, engine->scratch);
  engine->scratch_bytes = 0;
  systole_status status =
      c->ops->alloc(c->card, SYSTOLE_PORT_GMEM0, bytes, &engine->scratch);
  if (status == SYSTOLE_OK) engine->scratch_bytes = bytes;
  return status;
}

const systole_memory_timing *systole_accelerator_memory(const systole_engine *engine) {
  return &engine->memory;
}

systole_status systole_accelerator_staging(systole_engine *engine, uint64_t bytes,
                                           void **out) {
  systole_status status = need_staging(engine, bytes);
  *out = status == SYSTOLE_OK ? engine->staging : NULL;
  return status;
}

systole_status systole_accelerator_scratch(systole_engine *engine, uint64_t bytes,
                                           uint64_t *address) {
  systole_status status = need_scratch(engine, bytes);
  *address = status == SYSTOLE_OK ? engine->scratch : 0;
  return status;
}

/* Blocks that go through the staging buffer at a time, which is made large enough. */
static systole_status plan_staging(systole_engine *engine, int64_t block_bytes,
                                   int64_t blocks, int64_t *at_once) {
  int64_t count = kStagingBytes / block_bytes;
  if (count < 1) count = 1;
  if (count > blocks) count = blocks;
  *at_once = count;
  return need_staging(engine, (uint64_t)(count * block_bytes));
}

/* Packs `blocks` column blocks of a matrix into device memory at `address`. */
static systole_status send(systole_engine *engine, systole_port port, uint64_t address,
                           const systole_layout *layout, const void *matrix,
                           int64_t blocks) {
  const systole_run_context *c = &engine->context;
  int64_t block_bytes = systole_block_bytes(layout), at_once;
  if (c->timing_only) return SYSTOLE_OK;
  systole_status status = plan_staging(engine, block_bytes, blocks, &at_once);
  for (int64_t b = 0; b < blocks && status == SYSTOLE_OK; b += at_once) {
    int64_t count = blocks - b < at_once ? blocks - b : at_once;
    systole_pack_blocks(engine->staging, layout, matrix, b, count);
    status = c->ops->write(c->card, port, address + (uint64_t)(b * block_bytes),
                           engine->staging, (uint64_t)(count * block_bytes));
  }
  return status;
}

/* The way back, for results. */
static systole_status receive(systole_engine *engine, uint64_t address,
                              const systole_layout *layout, void *matrix,
                              int64_t blocks) {
  const systole_run_context *c = &engine->context;
  int64_t block_bytes = systole_block_bytes(layout), at_once;
  if (c->timing_only) return SYSTOLE_OK;
  systole_status status = plan_staging(engine, block_bytes, blocks, &at_once);
  for (int64_t b = 0; b < blocks && status == SYSTOLE_OK; b += at_once) {
    int64_t count = blocks - b < at_once ? blocks - b : at_once;
    status =
        c->ops->read(c->card, SYSTOLE_PORT_GMEM0, address + (uint64_t)(b * block_bytes),
                     engine->staging, (uint64_t)(count * block_bytes));
    if (status == SYSTOLE_OK) {
      systole_unpack_blocks(matrix, layout, engine->staging, b, count);
    }
  }
  return status;
}

/* ---- weights ----------------------------------------------------------------------- */

static void forget_program(systole_engine_weights *weights, cached_program *slot) {
  if (slot->program == NULL) return;
  const systole_run_context *c = &weights->engine->context;
  c->ops->free(c->card, SYSTOLE_PORT_GMEM1, slot->address);
  systole_program_free(slot->program);
  slot->program = NULL;
}

static void weights_free(systole_engine_weights *weights) {
  if (weights == NULL) return;
  const systole_run_context *c = &weights->engine->context;
  for (int i = 0; i < kPrograms; i++) forget_program(weights, &weights->programs[i]);
  if (weights->address != 0) c->ops->free(c->card, SYSTOLE_PORT_GMEM1, weights->address);
  free(weights->epilogue_memory);
  systole_release(weights);
}

static int uses_params(const systole_epilogue *epilogue) {
  return epilogue->bias != NULL || epilogue->multiplier != NULL;
}

static systole_status send_params(systole_engine_weights *weights) {
  systole_engine *engine = weights->engine;
  const systole_run_context *c = &engine->context;
  const systole_weights_layout *layout = &weights->layout;
  uint64_t bytes = layout->bytes - layout->params_offset;
  if (c->timing_only) return SYSTOLE_OK;
  systole_status status = need_staging(engine, bytes);
  if (status != SYSTOLE_OK) return status;
  systole_pack_params(engine->staging, (int64_t)layout->params_block_bytes,
                      layout->columns, layout->n, &weights->epilogue);
  return c->ops->write(c->card, SYSTOLE_PORT_GMEM1,
                       weights->address + layout->params_offset, engine->staging, bytes);
}

static systole_status prepare(systole_engine_weights **out, systole_engine *engine,
                              int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                              const systole_epilogue *epilogue) {
  *out = NULL;
  const systole_run_context *c = &engine->context;
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_engine_weights), "weights");
  if (status != SYSTOLE_OK) return status;
  systole_engine_weights *weights = memory;
  weights->engine = engine;
  int dim = engine->geometry.dim;
  status =
      systole_epilogue_copy(&weights->epilogue, &weights->epilogue_memory, epilogue, n);
  if (status == SYSTOLE_OK)
    status = systole_weights_layout_make(&weights->layout, dim,
                                         engine->geometry.axi_bytes, n, k);
  if (status == SYSTOLE_OK) {
    uint64_t bytes = uses_params(&weights->epilogue) ? weights->layout.bytes
                                                     : weights->layout.params_offset;
    status = c->ops->alloc(c->card, SYSTOLE_PORT_GMEM1, bytes, &weights->address);
    if (status == SYSTOLE_ERR_DEVICE_MEMORY) {
      systole_fail_in(status, "weights of K = %lld by N = %lld", (long long)k,
                      (long long)n);
    }
  }
  if (status == SYSTOLE_OK) {
    systole_layout layout = {k,   n,
                             ldb, (int64_t)weights->layout.block_bytes / dim,
                             1,   weights->layout.columns,
                             dim};
    status = send(engine, SYSTOLE_PORT_GMEM1, weights->address, &layout, b,
                  weights->layout.n_blocks);
  }
  if (status == SYSTOLE_OK && uses_params(&weights->epilogue))
    status = send_params(weights);
  if (status == SYSTOLE_OK) {
    *out = weights;
  } else {
    weights_free(weights);
  }
  return status;
}

/* The program of a spec, on the device: from the cache, or made in the slot that was used
 * least recently. */
static systole_status find_program(systole_engine_weights *weights,
                                   const systole_gemm_spec *spec, cached_program **out) {
  systole_engine *engine = weights->engine;
  const systole_run_context *c = &engine->context;
  cached_program *oldest = &weights->programs[0];
  weights->tick++;
  for (int i = 0; i < kPrograms; i++) {
    cached_program *slot = &weights->programs[i];
    if (slot->program != NULL && slot->program->spec.m == spec->m &&
        slot->program->spec.first_block == spec->first_block &&
        slot->program->spec.n_blocks == spec->n_blocks) {
      slot->used = weights->tick;
      *out = slot;
      return SYSTOLE_OK;
    }
    if (slot->program == NULL || (oldest->program != NULL && slot->used < oldest->used)) {
      oldest = slot;
    }
  }
  forget_program(weights, oldest);
  systole_program *program = NULL;
  systole_status status =
      systole_program_make_for(&program, &engine->geometry, &weights->layout, spec,
                               weights->short_programs ? NULL : &engine->memory);
  if (status != SYSTOLE_OK) return status;
  uint64_t bytes = (uint64_t)program->count * SYSTOLE_INSTRUCTION_BYTES, address = 0;
  status = c->ops->alloc(c->card, SYSTOLE_PORT_GMEM1, bytes, &address);
  if (status == SYSTOLE_OK) {
    status =
        c->ops->write(c->card, SYSTOLE_PORT_GMEM1, address, program->instructions, bytes);
    if (status != SYSTOLE_OK) c->ops->free(c->card, SYSTOLE_PORT_GMEM1, address);
  }
  if (status != SYSTOLE_OK) {
    systole_program_free(program);
    return status;
  }
  *oldest = (cached_program){program, address, weights->tick};
  *out = oldest;
  return SYSTOLE_OK;
}

/* ---- products ---------------------------------------------------------------------- */

static systole_gemm_spec make_spec(const systole_engine_weights *weights, int64_t rows,
                                   int64_t first_block, int64_t blocks) {
  const systole_epilogue *e = &weights->epilogue;
  systole_gemm_spec spec = {0};
  spec.m = rows;
  spec.first_block = first_block;
  spec.n_blocks = blocks;
  spec.requantise = e->multiplier != NULL;
  spec.bias = e->bias != NULL;
  spec.zero_point = e->zero_point;
  spec.clamp_low = e->clamp_low;
  spec.clamp_high = e->clamp_high;
  return spec;
}

/* Starts from the whole product and halves, rows first, until a run's program has at most
 * `steps` steps and its A and C have device memory. */
static systole_status choose_portion(const systole_engine_weights *weights, int64_t m,
                                     int64_t steps, systole_portion *out) {
  systole_engine *engine = weights->engine;
  systole_portion p = {m, weights->layout.n_blocks};
  for (;;) {
    systole_gemm_spec spec = make_spec(weights, p.rows, 0, p.blocks);
    systole_plan plan;
    systole_status status =
        systole_plan_make(&plan, &engine->geometry, &weights->layout, &spec);
    if (status == SYSTOLE_ERR_UNSUPPORTED) return status;
    if (status == SYSTOLE_OK && systole_portion_fits(&plan, steps)) {
      status = need_scratch(engine, plan.bytes);
      if (status == SYSTOLE_OK) *out = p;
      if (status != SYSTOLE_ERR_DEVICE_MEMORY) return status;
    } else if (status == SYSTOLE_OK) {
      status =
          systole_fail(SYSTOLE_ERR_UNSUPPORTED, "K = %lld is more than one run can do",
                       (long long)weights->layout.k);
    }
    if (!systole_portion_shrink(&p, engine->geometry.dim)) {
      return systole_fail_in(status, "not even one row of a product with K = %lld fits",
                             (long long)weights->layout.k);
    }
  }
}

/* Columns of C from block `first` on. */
static int64_t columns_of(const systole_engine_weights *weights, int64_t first,
                          int64_t blocks) {
  int64_t columns = weights->layout.columns, left = weights->layout.n - first * columns;
  return left < blocks * columns ? left : blocks * columns;
}

static systole_status run_portion(systole_engine_weights *weights, cached_program *cached,
                                  const systole_run_share *share, void *c, int64_t ldc,
                                  systole_run_totals *totals) {
  systole_engine *engine = weights->engine;
  const systole_program *program = cached->program;
  const systole_gemm_spec *spec = &program->spec;
  systole_launch launch = {cached->address, weights->address, engine->scratch,
                           program->count};
  systole_status status = systole_run_once(&engine->context, &launch, share, totals);
  if (status != SYSTOLE_OK) return status;
  int element = spec->requantise ? 1 : (int)sizeof(int32_t);
  int64_t columns = program->plan.columns;
  systole_layout layout = {
      spec->m,
      columns_of(weights, spec->first_block, spec->n_blocks),
      ldc * element,
      program->plan.block_rows,
      element,
      columns,
      (int64_t)systole_plan_row_bytes(&program->plan, spec) / element};
  uint8_t *to = c != NULL ? (uint8_t *)c + spec->first_block * columns * element : NULL;
  return receive(engine, engine->scratch + program->plan.c_offset, &layout, to,
                 spec->n_blocks);
}

/* A product as the caller gave it. */
typedef struct operands {
  int64_t m;
  const int8_t *a;
  int64_t lda;
  void *c;
  int64_t ldc;
} operands;

/* All portions, each with programs of at most `steps` steps. */
static systole_status run_portions(systole_engine_weights *weights, const operands *o,
                                   int64_t steps, systole_run_totals *totals) {
  systole_engine *engine = weights->engine;
  const systole_weights_layout *b = &weights->layout;
  int64_t element = weights->epilogue.multiplier != NULL ? 1 : (int64_t)sizeof(int32_t);
  int dim = engine->geometry.dim;
  systole_run_share share = {0, 0, (uint64_t)o->m * (uint64_t)b->n * (uint64_t)b->k};
  systole_portion p = {o->m, b->n_blocks};
  systole_status status = choose_portion(weights, o->m, steps, &p);
  for (int64_t row = 0; row < o->m && status == SYSTOLE_OK; row += p.rows) {
    int64_t rows = o->m - row < p.rows ? o->m - row : p.rows;
    for (int64_t block = 0; block < b->n_blocks && status == SYSTOLE_OK;
         block += p.blocks) {
      int64_t blocks = b->n_blocks - block < p.blocks ? b->n_blocks - block : p.blocks;
      systole_gemm_spec spec = make_spec(weights, rows, block, blocks);
      cached_program *cached = NULL;
      status = find_program(weights, &spec, &cached);
      if (status == SYSTOLE_OK)
        status = need_scratch(engine, cached->program->plan.bytes);
      if (status == SYSTOLE_OK && block == 0) { /* A stays for the other blocks */
        systole_layout layout = {rows, b->k, o->lda, cached->program->plan.block_rows,
                                 1,    dim,  dim};
        const int8_t *a = o->a != NULL ? o->a + row * o->lda : NULL;
        status =
            send(engine, SYSTOLE_PORT_GMEM0, engine->scratch, &layout, a, b->k_blocks);
      }
      if (status == SYSTOLE_OK) {
        share.here = (uint64_t)rows * (uint64_t)columns_of(weights, block, blocks) *
                     (uint64_t)b->k;
        uint8_t *c = o->c != NULL ? (uint8_t *)o->c + row * o->ldc * element : NULL;
        status = run_portion(weights, cached, &share, c, o->ldc, totals);
        share.before += share.here;
      }
    }
  }
  return status;
}

static systole_status gemm(const systole_engine_weights *prepared, int64_t m,
                           const int8_t *a, int64_t lda, void *c, int64_t ldc,
                           systole_stats *stats) {
  /* The cache of programs is filled behind a const handle: it changes no result. */
  systole_engine_weights *weights = (systole_engine_weights *)prepared;
  const systole_weights_layout *b = &weights->layout;
  const systole_run_context *context = &weights->engine->context;
  int dim = weights->engine->geometry.dim;
  double began = systole_wall_seconds();
  systole_run_totals totals;
  memset(&totals, 0, sizeof totals);
  operands o = {m, a, lda, c, ldc};
  systole_status status = run_portions(weights, &o, SYSTOLE_PROGRAM_MAX_STEPS, &totals);
  /* Programs share a port's memory with weights: where that is short, shorter ones do. */
  for (int64_t steps = SYSTOLE_PROGRAM_MAX_STEPS / 2;
       status == SYSTOLE_ERR_DEVICE_MEMORY && steps >= 1; steps /= 2) {
    for (int i = 0; i < kPrograms; i++) forget_program(weights, &weights->programs[i]);
    memset(&totals, 0, sizeof totals);
    weights->short_programs = 1;
    status = run_portions(weights, &o, steps, &totals);
  }
  if (status != SYSTOLE_OK) return status;
  systole_run_fill_stats(stats, context, &totals,
                         (uint64_t)m * (uint64_t)b->n * (uint64_t)b->k);
  stats->utilisation_ceiling = (double)b->n / (double)(b->n_blocks * dim) * (double)b->k /
                               (double)(b->k_blocks * dim);
  double wall = systole_wall_seconds() - began;
  if (wall > 0.0) stats->host_share = 1.0 - totals.wall_s / wall;
  return SYSTOLE_OK;
}

const systole_engine_ops systole_engine_accelerator = {
    .version = SYSTOLE_ENGINE_VERSION,
    .kind = "accelerator",
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
    .conv2d = systole_accelerator_conv2d,
    .timing_only = timing_only,
};
