/* Convolutions on a card: one run for a whole batch where program and memory allow it,
 * else in halves: of the batch, then of the output's lines. */
#include "program/conv.h"

#include <string.h>

#include "engine/accelerator/accelerator.h"
#include "program/conv_merge.h"
#include "program/program.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum { kStagingBytes = 4 << 20 }; /* beyond the caches, small beside large tensors */

/* What the runs of one call have in common. */
typedef struct job {
  systole_engine *engine;
  const systole_run_context *context;
  systole_run_share share;
  systole_run_totals totals;
  double rows; /* dim x dim products that the array is asked for, padding included */
} job;

/* Packs count blocks from `first` on. */
typedef systole_status (*packer)(uint8_t *out, const systole_conv_call *call,
                                 const systole_conv_layout *layout, int64_t first,
                                 int64_t count);

static systole_status pack_residual(uint8_t *out, const systole_conv_call *call,
                                    const systole_conv_layout *layout, int64_t first,
                                    int64_t count) {
  systole_conv_pack_residual(out, call, layout, first, count);
  return SYSTOLE_OK;
}

/* As many blocks at a time as the staging buffer holds, at least one. */
static systole_status stage(const job *j, uint64_t block_bytes, int64_t blocks,
                            int64_t *at_once, uint8_t **staging) {
  int64_t count = (int64_t)(kStagingBytes / block_bytes);
  if (count < 1) count = 1;
  if (count > blocks) count = blocks;
  void *memory = NULL;
  systole_status status =
      systole_accelerator_staging(j->engine, (uint64_t)count * block_bytes, &memory);
  *at_once = count;
  *staging = memory;
  return status;
}

static systole_status send(const job *j, const systole_conv_call *call,
                           const systole_conv_layout *layout, packer pack,
                           systole_port port, uint64_t address, uint64_t block_bytes,
                           int64_t blocks) {
  const systole_run_context *c = j->context;
  int64_t at_once;
  uint8_t *staging;
  if (c->timing_only) return SYSTOLE_OK;
  systole_status status = stage(j, block_bytes, blocks, &at_once, &staging);
  for (int64_t b = 0; b < blocks && status == SYSTOLE_OK; b += at_once) {
    const int64_t count = blocks - b < at_once ? blocks - b : at_once;
    status = pack(staging, call, layout, b, count);
    if (status == SYSTOLE_OK) {
      status = c->ops->write(c->card, port, address + (uint64_t)b * block_bytes, staging,
                             (uint64_t)count * block_bytes);
    }
  }
  return status;
}

static systole_status receive(const job *j, const systole_conv_call *call,
                              const systole_conv_layout *layout, uint64_t address) {
  const systole_run_context *c = j->context;
  const uint64_t block_bytes =
      (uint64_t)layout->out_block_rows * (uint64_t)(layout->dim * layout->element);
  const int64_t blocks = layout->o_blocks * layout->bundles;
  int64_t at_once;
  uint8_t *staging;
  if (c->timing_only) return SYSTOLE_OK;
  systole_status status = stage(j, block_bytes, blocks, &at_once, &staging);
  for (int64_t b = 0; b < blocks && status == SYSTOLE_OK; b += at_once) {
    const int64_t count = blocks - b < at_once ? blocks - b : at_once;
    status =
        c->ops->read(c->card, SYSTOLE_PORT_GMEM0, address + (uint64_t)b * block_bytes,
                     staging, (uint64_t)count * block_bytes);
    if (status == SYSTOLE_OK) systole_conv_unpack_output(call, layout, staging, b, count);
  }
  return status;
}

static systole_status send_params(const job *j, const systole_conv_call *call,
                                  const systole_conv_layout *layout, uint64_t address) {
  const systole_run_context *c = j->context;
  const uint64_t bytes = layout->weights_bytes - layout->params_offset;
  void *staging;
  if (c->timing_only) return SYSTOLE_OK;
  systole_status status = systole_accelerator_staging(j->engine, bytes, &staging);
  if (status == SYSTOLE_OK) status = systole_conv_pack_params(staging, call, layout);
  if (status != SYSTOLE_OK) return status;
  return c->ops->write(c->card, SYSTOLE_PORT_GMEM1, address + layout->params_offset,
                       staging, bytes);
}

static systole_status send_operands(const job *j, const systole_conv_call *call,
                                    const systole_conv_layout *l, uint64_t weights,
                                    uint64_t activations) {
  systole_status status = send(j, call, l, systole_conv_pack_weights, SYSTOLE_PORT_GMEM1,
                               weights, l->tiles_bytes, l->o_blocks * l->bundles);
  if (status == SYSTOLE_OK && l->params) status = send_params(j, call, l, weights);
  if (status == SYSTOLE_OK) {
    status = send(j, call, l, systole_conv_pack_input, SYSTOLE_PORT_GMEM0, activations,
                  (uint64_t)(l->block_rows * l->dim), l->c_blocks * l->bundles);
  }
  if (status == SYSTOLE_OK && call->conv.residual != NULL) {
    status = send(j, call, l, pack_residual, SYSTOLE_PORT_GMEM0,
                  activations + l->residual_offset,
                  (uint64_t)(l->out_block_rows * l->dim), l->o_blocks * l->bundles);
  }
  return status;
}

/* One run with a program that is made. */
static systole_status run_program(job *j, const systole_conv_call *call,
                                  const systole_conv_layout *layout,
                                  const systole_conv_program *program) {
  const systole_run_context *c = j->context;
  const uint64_t program_bytes = (uint64_t)program->count * SYSTOLE_INSTRUCTION_BYTES;
  uint64_t weights = 0, stream = 0, scratch = 0;
  systole_status status = systole_accelerator_scratch(j->engine, layout->bytes, &scratch);
  if (status == SYSTOLE_OK) {
    status = c->ops->alloc(c->card, SYSTOLE_PORT_GMEM1, layout->weights_bytes, &weights);
  }
  if (status != SYSTOLE_OK) return status;
  status = c->ops->alloc(c->card, SYSTOLE_PORT_GMEM1, program_bytes, &stream);
  if (status != SYSTOLE_OK) goto free_weights;
  status = c->ops->write(c->card, SYSTOLE_PORT_GMEM1, stream, program->instructions,
                         program_bytes);
  if (status == SYSTOLE_OK) status = send_operands(j, call, layout, weights, scratch);
  if (status == SYSTOLE_OK) {
    const systole_launch launch = {stream, weights, scratch, program->count};
    j->share.here = call->macs;
    status = systole_run_once(c, &launch, &j->share, &j->totals);
    j->share.before += call->macs;
    j->rows += (double)layout->images * (double)layout->conv_lines *
               (double)layout->conv_columns * (double)layout->bundles *
               (double)(layout->taps_height * layout->taps_width * layout->c_blocks *
                        layout->o_blocks);
  }
  if (status == SYSTOLE_OK) {
    status = receive(j, call, layout, scratch + layout->output_offset);
  }
  c->ops->free(c->card, SYSTOLE_PORT_GMEM1, stream);
free_weights:
  c->ops->free(c->card, SYSTOLE_PORT_GMEM1, weights);
  return status;
}

/* In one run, or SYSTOLE_ERR_DEVICE_MEMORY or SYSTOLE_ERR_ARGUMENT when it is too large
 * for that. */
static systole_status run_whole(job *j, const systole_conv_call *call) {
  const systole_geometry *geometry = j->context->geometry;
  systole_conv_layout layout;
  systole_conv_program *program = NULL;
  const systole_memory_timing *memory = systole_accelerator_memory(j->engine);
  systole_status status = systole_conv_layout_make(&layout, geometry, call, 0);
  layout.tile_cycles = systole_conv_tile_cycles(geometry, memory);
  if (status == SYSTOLE_OK) {
    status = systole_conv_program_make(&program, geometry, call, &layout);
  }
  /* A window that does not fit into the buffer: with all taps in the lanes it is one
   * pixel. */
  if (status == SYSTOLE_ERR_UNSUPPORTED && call->conv.pool == SYSTOLE_POOLING_NONE) {
    status = systole_conv_layout_make(&layout, geometry, call, 1);
    layout.tile_cycles = systole_conv_tile_cycles(geometry, memory);
    if (status == SYSTOLE_OK) {
      status = systole_conv_program_make(&program, geometry, call, &layout);
    }
  }
  if (status == SYSTOLE_OK) status = run_program(j, call, &layout, program);
  systole_conv_program_free(program);
  return status;
}

/* Operands of a part: where its input and its output begin, in elements. Without data
 * there are none. */
static void place(systole_conv_call *out, const systole_conv_call *call, int64_t input,
                  int64_t output) {
  out->weights = call->weights;
  out->input = call->input != NULL ? call->input + input : NULL;
  out->output = call->output != NULL ? (uint8_t *)call->output +
                                           output * (systole_conv_is_s8(call) ? 1 : 4)
                                     : NULL;
}

/* Output lines first ... first + count - 1 of one image as a convolution of its own: the
 * input lines that they need, and what is left of the padding. */
static systole_status lines_of(systole_conv_call *out, const systole_conv_call *call,
                               int64_t first, int64_t count) {
  systole_conv2d c = call->conv;
  int64_t y = first, sums = count;
  if (c.pool != SYSTOLE_POOLING_NONE) {
    const int64_t from = first * c.pool_stride_height - c.pool_pad_top;
    const int64_t to = from + (count - 1) * c.pool_stride_height + c.pool_height;
    y = from < 0 ? 0 : from;
    sums = (to < call->lines ? to : call->lines) - y;
    c.pool_pad_top = y - from;
    c.pool_pad_bottom = to - (y + sums);
  }
  const int64_t from = y * c.stride_height - c.pad_top;
  const int64_t to =
      from + (sums - 1) * c.stride_height + (c.kernel_height - 1) * c.dilation_height + 1;
  int64_t top = from < 0 ? 0 : from, bottom = to < c.height ? to : c.height;
  if (top >= bottom) { /* padding alone: one line of the image that no tap reaches */
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "lines of padding alone cannot be computed apart");
  }
  c.pad_top = top - from;
  c.pad_bottom = to - bottom;
  c.height = bottom - top;
  const int64_t line = call->out_columns * c.out_channels;
  if (c.residual != NULL) c.residual += first * line;
  systole_status status = systole_conv_call_make(out, &c);
  if (status != SYSTOLE_OK) return status;
  place(out, call, top * c.width * c.channels, first * line);
  return SYSTOLE_OK;
}

static systole_status images_of(systole_conv_call *out, const systole_conv_call *call,
                                int64_t first, int64_t count) {
  systole_conv2d c = call->conv;
  const int64_t image = call->out_lines * call->out_columns * c.out_channels;
  c.batch = count;
  if (c.residual != NULL) c.residual += first * image;
  systole_status status = systole_conv_call_make(out, &c);
  if (status != SYSTOLE_OK) return status;
  place(out, call, first * c.height * c.width * c.channels, first * image);
  return SYSTOLE_OK;
}

/* Halves until a part fits into one run. The depth is that of a count's logarithm. */
static systole_status run_parts(job *j, const systole_conv_call *call) {
  systole_status status = run_whole(j, call);
  if (status != SYSTOLE_ERR_DEVICE_MEMORY && status != SYSTOLE_ERR_ARGUMENT)
    return status;
  const int64_t count = call->conv.batch > 1 ? call->conv.batch : call->out_lines;
  if (count < 2) {
    return systole_fail_in(status, "not even one line of this convolution's output fits");
  }
  for (int half = 0; half < 2; half++) {
    const int64_t first = half == 0 ? 0 : count / 2;
    const int64_t length = half == 0 ? count / 2 : count - count / 2;
    systole_conv_call part;
    status = call->conv.batch > 1 ? images_of(&part, call, first, length)
                                  : lines_of(&part, call, first, length);
    if (status == SYSTOLE_OK) status = run_parts(j, &part);
    if (status != SYSTOLE_OK) return status;
  }
  return SYSTOLE_OK;
}

/* Images as one tall one. Without data there is nothing to lay out. */
static systole_status run_merged(job *j, const systole_conv_call *call,
                                 const systole_conv_merge *merge) {
  const systole_conv2d *c = &call->conv;
  const int64_t bytes = systole_conv_is_s8(call) ? 1 : 4;
  systole_conv2d conv = merge->conv;
  systole_conv_call tall;
  void *input = NULL, *residual = NULL, *output = NULL;
  systole_status status = systole_conv_call_make(&tall, &conv);
  if (status != SYSTOLE_OK) return status;
  const int64_t results = tall.out_columns * c->out_channels;
  tall.weights = call->weights;
  if (!j->context->timing_only) {
    status = systole_allocate(&input, (uint64_t)conv.height,
                              (uint64_t)(c->width * c->channels), "a batch of images");
    if (status == SYSTOLE_OK) {
      status = systole_allocate(&output, (uint64_t)tall.out_lines,
                                (uint64_t)(results * bytes), "a batch of results");
    }
    if (status == SYSTOLE_OK && c->residual != NULL) {
      status = systole_allocate(&residual, (uint64_t)tall.out_lines, (uint64_t)results,
                                "a batch of residuals");
    }
    if (status != SYSTOLE_OK) goto done;
    systole_conv_merge_input(input, merge, call);
    tall.input = input;
    tall.output = output;
    if (residual != NULL) {
      systole_conv_merge_output(residual, merge, call, c->residual, 1);
      tall.conv.residual = residual;
    }
  }
  status = run_parts(j, &tall);
  if (status == SYSTOLE_OK && output != NULL) {
    systole_conv_split_output(call->output, merge, call, output, bytes);
  }

done:
  systole_release(residual);
  systole_release(output);
  systole_release(input);
  return status;
}

static systole_status need_features(const systole_geometry *geometry,
                                    const systole_conv_call *call) {
  const int residual = (int)(geometry->features >> SYSTOLE_FEATURE_RESIDUAL & 1u);
  const int pool = (int)(geometry->features >> SYSTOLE_FEATURE_POOL & 1u);
  if (call->conv.residual != NULL && !residual) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "this device's activation unit adds no residual: add it on the "
                        "host, or use a build that has FeatureResidual");
  }
  if (call->conv.pool != SYSTOLE_POOLING_NONE && !pool) {
    return systole_fail(
        SYSTOLE_ERR_UNSUPPORTED,
        "this device's activation unit has no pools: pool on the host, or "
        "use a build that has FeaturePool");
  }
  return SYSTOLE_OK;
}

systole_status systole_accelerator_conv2d(systole_engine *engine,
                                          const systole_conv_call *call,
                                          systole_stats *stats) {
  job j;
  memset(&j, 0, sizeof j);
  j.engine = engine;
  j.context = systole_accelerator_context(engine);
  j.share.total = call->macs;
  const double began = systole_wall_seconds();
  systole_status status = need_features(j.context->geometry, call);
  systole_conv_merge merge;
  const int merged = systole_conv_merge_make(&merge, call, j.context->geometry,
                                             systole_accelerator_memory(engine));
  if (status == SYSTOLE_OK) {
    status = merged ? run_merged(&j, call, &merge) : run_parts(&j, call);
  }
  if (status != SYSTOLE_OK) return status;
  const double dim = j.context->geometry->dim;
  systole_run_fill_stats(stats, j.context, &j.totals, call->macs);
  if (j.rows > 0) stats->utilisation_ceiling = (double)call->macs / (j.rows * dim * dim);
  const double wall = systole_wall_seconds() - began;
  if (wall > 0.0) stats->host_share = 1.0 - j.totals.wall_s / wall;
  return SYSTOLE_OK;
}
