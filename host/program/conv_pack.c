#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "program/conv.h"
#include "program/pack.h"
#include "support/error.h"
#include "support/memory.h"

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- images ------------------------------------------------------------------------ */

/* Channels of a bundle; the last one may have fewer. */
static int64_t bundle_channels(int64_t all, int64_t groups, int64_t bundle,
                               int64_t number) {
  const int64_t each = all / groups;
  return min64(bundle, groups - number * bundle) * each;
}

/* Blocks first ... first + count - 1 of a bundle's `channels` channels from `matrix` on,
 * between lines without gaps and blocks whose lines are `line_rows` apart. */
typedef struct grid {
  int64_t rows, columns, line_rows, block_rows; /* rows: lines of all images */
  int64_t stride;                               /* bytes from pixel to pixel, unpacked */
  int64_t channels;
  int dim, element;
} grid;

static systole_layout whole_grid(const grid *g) {
  const systole_layout layout = {
      g->rows * g->columns, g->channels, g->stride, g->block_rows,
      g->element,           g->dim,      g->dim};
  return layout;
}

/* Of `count` blocks from `first` on, those that have a channel: a bundle that is not full
 * may have fewer than its place holds. */
static int64_t filled_blocks(const grid *g, int64_t first, int64_t count) {
  const int64_t blocks = systole_ceil_div(g->channels, g->dim);
  if (first >= blocks) return 0;
  return min64(count, blocks - first);
}

static void pack_grid(uint8_t *out, const grid *g, const int8_t *matrix, int64_t first,
                      int64_t count) {
  const int64_t block_bytes = g->block_rows * g->dim * g->element;
  const int64_t filled = filled_blocks(g, first, count);
  memset(out + filled * block_bytes, 0, (size_t)((count - filled) * block_bytes));
  count = filled;
  if (g->line_rows == g->columns) {
    const systole_layout layout = whole_grid(g);
    systole_pack_blocks(out, &layout, matrix, first, count);
    return;
  }
  const int64_t row_bytes = (int64_t)g->dim * g->element;
  memset(out, 0, (size_t)(count * block_bytes));
  for (int64_t b = 0; b < count; b++) {
    const int64_t from = (first + b) * row_bytes;
    const int64_t bytes = min64(row_bytes, g->channels * g->element - from);
    for (int64_t row = 0; row < g->rows; row++) {
      for (int64_t x = 0; x < g->columns; x++) {
        memcpy(out + b * block_bytes + (row * g->line_rows + x) * row_bytes,
               matrix + (row * g->columns + x) * g->stride + from, (size_t)bytes);
      }
    }
  }
}

static void unpack_grid(uint8_t *matrix, const grid *g, const uint8_t *blocks,
                        int64_t first, int64_t count) {
  count = filled_blocks(g, first, count);
  if (g->line_rows == g->columns) {
    const systole_layout layout = whole_grid(g);
    systole_unpack_blocks(matrix, &layout, blocks, first, count);
    return;
  }
  const int64_t row_bytes = (int64_t)g->dim * g->element;
  for (int64_t b = 0; b < count; b++) {
    const int64_t from = (first + b) * row_bytes;
    const int64_t bytes = min64(row_bytes, g->channels * g->element - from);
    for (int64_t row = 0; row < g->rows; row++) {
      for (int64_t x = 0; x < g->columns; x++) {
        memcpy(matrix + (row * g->columns + x) * g->stride + from,
               blocks + (b * g->block_rows + row * g->line_rows + x) * row_bytes,
               (size_t)bytes);
      }
    }
  }
}

/* Calls for the blocks of each bundle that lie in first ... first + count - 1. */
typedef struct part {
  int64_t bundle, first, count; /* blocks within the bundle */
  int64_t at;                   /* blocks before it in the output */
} part;

static int next_part(part *p, int64_t per_bundle, int64_t first, int64_t count) {
  const int64_t block = first + p->at + p->count;
  if (block >= first + count) return 0;
  p->at += p->count;
  p->bundle = block / per_bundle;
  p->first = block % per_bundle;
  p->count = min64(per_bundle - p->first, first + count - block);
  return 1;
}

/* Lanes of the packed pixel at (line, column) of an image: its taps one after the other,
 * the zero point where a tap lies outside. */
static void gather(int8_t *lanes, const systole_conv_call *call,
                   const systole_conv_layout *l, int64_t image, int64_t line,
                   int64_t column, int64_t first_channel, int64_t channels) {
  const systole_conv2d *c = &call->conv;
  for (int64_t i = 0; i < l->fold_height; i++) {
    const int64_t y = line * l->unit_height + i * c->dilation_height - c->pad_top;
    for (int64_t j = 0; j < l->fold_width; j++) {
      const int64_t x = column * l->unit_width + j * c->dilation_width - c->pad_left;
      if (y < 0 || y >= c->height || x < 0 || x >= c->width) {
        memset(lanes, c->input_zero_point, (size_t)channels);
      } else {
        memcpy(lanes,
               call->input + ((image * c->height + y) * c->width + x) * c->channels +
                   first_channel,
               (size_t)channels);
      }
      lanes += channels;
    }
  }
}

/* The same for a whole pixel block; blocks of one bundle. */
static void pack_folded(uint8_t *out, const systole_conv_call *call,
                        const systole_conv_layout *l, const part *p, int8_t *lanes) {
  const systole_conv2d *c = &call->conv;
  const int64_t channels = bundle_channels(c->channels, c->groups, l->bundle, p->bundle);
  const int64_t first_channel = p->bundle * l->bundle * (c->channels / c->groups);
  const int64_t block_bytes = l->block_rows * l->dim;
  /* A flat layout has forgotten lines and images; the pixels come in the same order. */
  const int64_t columns = l->flat ? call->columns : l->columns;
  const int64_t lines = l->flat ? call->lines : l->lines;
  const int64_t line_rows = l->flat ? columns : l->line_rows;
  memset(lanes, 0, (size_t)(l->c_blocks * l->dim));
  memset(out, 0, (size_t)(p->count * block_bytes));
  for (int64_t image = 0; image < c->batch; image++) {
    for (int64_t line = 0; line < lines; line++) {
      uint8_t *row = out + (image * lines + line) * line_rows * l->dim;
      for (int64_t column = 0; column < columns; column++, row += l->dim) {
        gather(lanes, call, l, image, line, column, first_channel, channels);
        for (int64_t b = 0; b < p->count; b++) {
          memcpy(row + b * block_bytes, lanes + (p->first + b) * l->dim, (size_t)l->dim);
        }
      }
    }
  }
}

systole_status systole_conv_pack_input(uint8_t *out, const systole_conv_call *call,
                                       const systole_conv_layout *layout, int64_t first,
                                       int64_t count) {
  const systole_conv2d *c = &call->conv;
  void *lanes = NULL;
  systole_status status = systole_allocate(
      &lanes, (uint64_t)(layout->c_blocks * layout->dim), 1, "a packed pixel");
  part p = {0};
  while (status == SYSTOLE_OK && next_part(&p, layout->c_blocks, first, count)) {
    uint8_t *to = out + p.at * layout->block_rows * layout->dim;
    if (layout->packed_padding) {
      pack_folded(to, call, layout, &p, lanes);
      continue;
    }
    const grid g = {layout->images * layout->lines,
                    layout->columns,
                    layout->line_rows,
                    layout->block_rows,
                    c->channels,
                    bundle_channels(c->channels, c->groups, layout->bundle, p.bundle),
                    layout->dim,
                    1};
    pack_grid(to, &g, call->input + p.bundle * layout->bundle * (c->channels / c->groups),
              p.first, p.count);
  }
  systole_release(lanes);
  return status;
}

static grid output_grid(const systole_conv_call *call, const systole_conv_layout *layout,
                        int64_t bundle, int element) {
  const systole_conv2d *c = &call->conv;
  const grid g = {layout->images * layout->out_lines,
                  layout->out_columns,
                  layout->out_line_rows,
                  layout->out_block_rows,
                  c->out_channels * element,
                  bundle_channels(c->out_channels, c->groups, layout->bundle, bundle),
                  layout->dim,
                  element};
  return g;
}

void systole_conv_pack_residual(uint8_t *out, const systole_conv_call *call,
                                const systole_conv_layout *layout, int64_t first,
                                int64_t count) {
  const systole_conv2d *c = &call->conv;
  part p = {0};
  while (next_part(&p, layout->o_blocks, first, count)) {
    const grid g = output_grid(call, layout, p.bundle, 1);
    pack_grid(out + p.at * layout->out_block_rows * layout->dim, &g,
              c->residual + p.bundle * layout->bundle * (c->out_channels / c->groups),
              p.first, p.count);
  }
}

void systole_conv_unpack_output(const systole_conv_call *call,
                                const systole_conv_layout *layout, const uint8_t *blocks,
                                int64_t first, int64_t count) {
  const systole_conv2d *c = &call->conv;
  const int64_t row_bytes = (int64_t)layout->dim * layout->element;
  part p = {0};
  while (next_part(&p, layout->o_blocks, first, count)) {
    const grid g = output_grid(call, layout, p.bundle, layout->element);
    const int64_t channel = p.bundle * layout->bundle * (c->out_channels / c->groups);
    unpack_grid((uint8_t *)call->output + channel * layout->element, &g,
                blocks + p.at * layout->out_block_rows * row_bytes, p.first, p.count);
  }
}

/* ---- weights ----------------------------------------------------------------------- */

/* Which weight a lane of a packed pixel meets: its tap within the fold, its channel
 * within its group, and that group within the bundle. */
typedef struct lane {
  int64_t i, j, channel, group; /* group -1: the lane is empty */
} lane;

static lane lane_at(const systole_conv_call *call, const systole_conv_layout *l,
                    int64_t bundle, int64_t number) {
  const systole_conv2d *c = &call->conv;
  const int64_t channels = bundle_channels(c->channels, c->groups, l->bundle, bundle);
  const int64_t tap = number / channels, channel = number % channels;
  const int64_t each = c->channels / c->groups;
  lane a = {tap / l->fold_width, tap % l->fold_width, channel % each, channel / each};
  if (tap >= l->fold_height * l->fold_width) a.group = -1;
  return a;
}

/* One tile: lanes of channel block `block` at kernel position (th, tw), for the output
 * channels from `first` on within the bundle. */
static void pack_tile(uint8_t *tile, const systole_conv_call *call,
                      const systole_conv_layout *l, int64_t bundle, const lane *lanes,
                      int64_t first, int64_t th, int64_t tw) {
  const systole_conv2d *c = &call->conv;
  const int64_t dim = l->dim, in_group = c->channels / c->groups;
  const int64_t out_group = c->out_channels / c->groups;
  /* None in a block that a bundle which is not full does not reach. */
  const int64_t outputs =
      min64(dim, bundle_channels(c->out_channels, c->groups, l->bundle, bundle) - first);
  memset(tile, 0, (size_t)(dim * dim));
  for (int64_t column = 0; column < outputs; column++) {
    const int64_t output = bundle * l->bundle * out_group + first + column;
    const int64_t group = (first + column) / out_group;
    const int8_t *kernel =
        call->weights + output * c->kernel_height * c->kernel_width * in_group;
    for (int64_t k = 0; k < dim; k++) {
      const lane *a = &lanes[k];
      const int64_t y = th * l->fold_height + a->i, x = tw * l->fold_width + a->j;
      if (a->group != group || y >= c->kernel_height || x >= c->kernel_width) continue;
      tile[k * dim + column] =
          (uint8_t)kernel[(y * c->kernel_width + x) * in_group + a->channel];
    }
  }
}

systole_status systole_conv_pack_weights(uint8_t *out, const systole_conv_call *call,
                                         const systole_conv_layout *layout, int64_t first,
                                         int64_t count) {
  const int64_t dim = layout->dim, tile_bytes = dim * dim;
  void *memory = NULL;
  systole_status status = systole_allocate(&memory, (uint64_t)(layout->c_blocks * dim),
                                           sizeof(lane), "the lanes of tiles");
  lane *lanes = memory;
  int64_t known = -1; /* bundle that the lanes are of */
  for (int64_t b = 0; b < count && status == SYSTOLE_OK; b++) {
    const int64_t bundle = (first + b) / layout->o_blocks;
    const int64_t output = (first + b) % layout->o_blocks * dim;
    uint8_t *tile = out + (uint64_t)b * layout->tiles_bytes;
    for (int64_t k = 0; k < layout->c_blocks * dim && bundle != known; k++) {
      lanes[k] = lane_at(call, layout, bundle, k);
    }
    known = bundle;
    for (int64_t block = 0; block < layout->c_blocks; block++) {
      for (int64_t th = 0; th < layout->taps_height; th++) {
        for (int64_t tw = 0; tw < layout->taps_width; tw++, tile += tile_bytes) {
          pack_tile(tile, call, layout, bundle, lanes + block * dim, output, th, tw);
        }
      }
    }
  }
  systole_release(memory);
  return status;
}

/* bias - zero point x sum of the weights, which makes the padding, whose pixels are the
 * zero point, count nothing. Modulo 2^32. */
static void fold_zero_point(int32_t *bias, const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  const int64_t kernel = c->kernel_height * c->kernel_width * (c->channels / c->groups);
  for (int64_t o = 0; o < c->out_channels; o++) {
    int64_t sum = 0;
    for (int64_t k = 0; k < kernel && c->input_zero_point != 0; k++) {
      sum += call->weights[o * kernel + k];
    }
    const int64_t given = call->epilogue.bias == NULL ? 0 : call->epilogue.bias[o];
    bias[o] = (int32_t)(uint32_t)(uint64_t)(given - c->input_zero_point * sum);
  }
}

systole_status systole_conv_pack_params(uint8_t *out, const systole_conv_call *call,
                                        const systole_conv_layout *layout) {
  const systole_conv2d *c = &call->conv;
  void *memory = NULL;
  systole_status status =
      systole_allocate(&memory, (uint64_t)c->out_channels, sizeof(int32_t), "biases");
  if (status != SYSTOLE_OK) return status;
  int32_t *bias = memory;
  fold_zero_point(bias, call);
  const int64_t bundle_bytes = layout->o_blocks * (int64_t)layout->params_block_bytes;
  for (int64_t bundle = 0; bundle < layout->bundles; bundle++) {
    const int64_t first = bundle * layout->bundle * (c->out_channels / c->groups);
    systole_epilogue e = call->epilogue;
    e.bias = bias + first;
    if (e.multiplier != NULL) {
      e.multiplier += first;
      e.shift += first;
    }
    systole_pack_params(
        out + bundle * bundle_bytes, (int64_t)layout->params_block_bytes, layout->dim,
        bundle_channels(c->out_channels, c->groups, layout->bundle, bundle), &e);
  }
  systole_release(memory);
  return status;
}
