#include "card/systole_isa.h"
#include "program/conv.h"
#include "support/error.h"
#include "support/memory.h"

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t gcd(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static int64_t round_up(int64_t value, int64_t step) {
  return systole_ceil_div(value, step) * step;
}

/* One direction of the kernel, folded by `fold` taps: taps that are left to the array,
 * input lines from packed line to packed line, and how many packed lines there are. Lines
 * lie wherever an output and a group of taps begin: at y stride + g fold dilation. */
typedef struct axis {
  int64_t taps, unit, stride, hop, pixels;
} axis;

static axis fold_axis(int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation,
                      int64_t fold) {
  axis a;
  a.taps = systole_ceil_div(kernel, fold);
  a.unit = a.taps == 1 ? stride : gcd(stride, fold * dilation);
  if (outputs == 1) a.unit = a.taps == 1 ? 1 : fold * dilation;
  a.stride = outputs == 1 ? 1 : stride / a.unit;
  a.hop = a.taps == 1 ? 1 : fold * dilation / a.unit;
  a.pixels = (outputs - 1) * a.stride + (a.taps - 1) * a.hop + 1;
  return a;
}

/* What a choice costs: tiles for the array, then bytes to load. */
typedef struct price {
  int64_t tiles, bytes;
} price;

static int cheaper(const price *a, const price *b) {
  return a->tiles != b->tiles ? a->tiles < b->tiles : a->bytes < b->bytes;
}

static void choose_bundle(systole_conv_layout *l, const systole_conv_call *call,
                          int64_t bundle) {
  const systole_conv2d *c = &call->conv;
  l->bundle = bundle;
  l->bundles = systole_ceil_div(c->groups, bundle);
  l->lanes = l->fold_height * l->fold_width * bundle * (c->channels / c->groups);
  l->c_blocks = systole_ceil_div(l->lanes, l->dim);
  l->o_blocks = systole_ceil_div(bundle * (c->out_channels / c->groups), l->dim);
}

/* The image as it is, LOAD making the halo. */
static void take_plain(systole_conv_layout *l, const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  l->fold_height = l->fold_width = l->unit_height = l->unit_width = 1;
  l->packed_padding = 0;
  l->lines = c->height;
  l->columns = c->width;
  l->taps_height = c->kernel_height;
  l->taps_width = c->kernel_width;
  l->stride_height = c->stride_height;
  l->stride_width = c->stride_width;
  l->hop_height = c->dilation_height;
  l->hop_width = c->dilation_width;
  l->pad_top = c->pad_top;
  l->pad_left = c->pad_left;
}

static void take_folded(systole_conv_layout *l, const systole_conv_call *call,
                        int64_t fold_height, int64_t fold_width) {
  const systole_conv2d *c = &call->conv;
  axis down = fold_axis(call->lines, c->kernel_height, c->stride_height,
                        c->dilation_height, fold_height);
  axis across = fold_axis(call->columns, c->kernel_width, c->stride_width,
                          c->dilation_width, fold_width);
  l->fold_height = fold_height;
  l->fold_width = fold_width;
  l->unit_height = down.unit;
  l->unit_width = across.unit;
  l->packed_padding = 1;
  l->lines = down.pixels;
  l->columns = across.pixels;
  l->taps_height = down.taps;
  l->taps_width = across.taps;
  l->stride_height = down.stride;
  l->stride_width = across.stride;
  l->hop_height = down.hop;
  l->hop_width = across.hop;
  l->pad_top = l->pad_left = 0;
}

static price price_of(const systole_conv_layout *l) {
  price p;
  p.tiles = l->taps_height * l->taps_width * l->c_blocks * l->o_blocks * l->bundles;
  p.bytes = l->lines * l->columns * l->c_blocks * l->bundles * l->dim;
  return p;
}

/* Groups that share a bundle: as many as give the fewest tiles, and among those the least
 * to load. More than dim groups never help, since dim columns are full by then. */
static void best_bundle(systole_conv_layout *l, const systole_conv_call *call) {
  int64_t most = min64(call->conv.groups, l->dim), best = 1;
  price least = {0, 0};
  for (int64_t bundle = 1; bundle <= most; bundle++) {
    choose_bundle(l, call, bundle);
    price p = price_of(l);
    if (bundle == 1 || cheaper(&p, &least)) {
      least = p;
      best = bundle;
    }
  }
  choose_bundle(l, call, best);
}

/* Folding pays where lanes are empty, or where the stride leaves pixels out. Folds of
 * more taps than fill two rows of lanes are not looked at: they only make the image
 * larger. */
static void choose_fold(systole_conv_layout *l, const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  take_plain(l, call);
  best_bundle(l, call);
  systole_conv_layout best = *l, other = *l;
  price least = price_of(l);
  const int64_t limit = least.bytes;
  const int64_t lanes = best.bundle * (c->channels / c->groups);
  const int64_t most = max64(1, 8 * l->dim / lanes);
  for (int64_t fh = 1; fh <= min64(c->kernel_height, most); fh++) {
    for (int64_t fw = 1; fw <= c->kernel_width && fh * fw <= most; fw++) {
      take_folded(&other, call, fh, fw);
      best_bundle(&other, call);
      price p = price_of(&other);
      if (p.bytes > limit || !cheaper(&p, &least)) continue;
      /* Without a gain in tiles the plain image keeps its easy packing, unless there is
       * much less of it. */
      if (p.tiles == least.tiles && fh * fw == 1 && 2 * p.bytes > limit) continue;
      least = p;
      best = other;
    }
  }
  *l = best;
}

static systole_status too_large(const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "a convolution of %lld images of %lld x %lld x %lld into %lld "
                      "channels is more than "
                      "a device can address in one run",
                      (long long)c->batch, (long long)c->height, (long long)c->width,
                      (long long)c->channels, (long long)c->out_channels);
}

/* Byte counts below 2^46, so that device offsets of 48 bits hold their sums. */
static int bytes_of(uint64_t *out, int64_t rows, int64_t blocks, int64_t row_bytes) {
  return systole_multiply(out, (uint64_t)rows, (uint64_t)blocks) &&
         systole_multiply(out, *out, (uint64_t)row_bytes) && *out < (uint64_t)1 << 46;
}

static int place_images(systole_conv_layout *l, const systole_geometry *geometry,
                        const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  const int64_t beat_rows = max64(1, geometry->axi_bytes / l->dim);
  const int64_t align_rows = max64(beat_rows, SYSTOLE_BLOCK_ALIGN / l->dim);
  l->flat = l->taps_height == 1 && l->taps_width == 1 && l->stride_height == 1 &&
            l->stride_width == 1 && l->pad_top == 0 && l->pad_left == 0 &&
            l->lines == call->lines && l->columns == call->columns &&
            c->pool == SYSTOLE_POOLING_NONE;
  l->images = c->batch;
  l->conv_lines = call->lines;
  l->conv_columns = call->columns;
  l->out_lines = call->out_lines;
  l->out_columns = call->out_columns;
  if (l->flat) {
    l->images = 1;
    l->lines = l->conv_lines = l->out_lines = c->batch * l->lines * l->columns;
    l->columns = l->conv_columns = l->out_columns = 1;
    l->line_rows = l->out_line_rows = 1;
  } else {
    l->line_rows = round_up(l->columns, beat_rows);
    l->out_line_rows = round_up(l->out_columns, beat_rows);
  }
  l->element = systole_conv_is_s8(call) ? 1 : (int)sizeof(int32_t);
  l->block_rows = round_up(l->images * l->lines * l->line_rows, align_rows);
  l->out_block_rows = round_up(l->images * l->out_lines * l->out_line_rows, align_rows);
  const int64_t o_blocks = l->o_blocks * l->bundles;
  if (!bytes_of(&l->input_bytes, l->block_rows, l->c_blocks * l->bundles, l->dim) ||
      !bytes_of(&l->output_bytes, l->out_block_rows, o_blocks, l->dim * l->element)) {
    return 0;
  }
  l->residual_offset = systole_round_up(l->input_bytes, SYSTOLE_BLOCK_ALIGN);
  l->residual_bytes = c->residual == NULL ? 0 : l->output_bytes;
  l->output_offset =
      systole_round_up(l->residual_offset + l->residual_bytes, SYSTOLE_BLOCK_ALIGN);
  l->bytes = l->output_offset + l->output_bytes;
  return 1;
}

static int place_weights(systole_conv_layout *l, const systole_conv_call *call) {
  const int64_t blocks = l->o_blocks * l->bundles;
  const int64_t steps = l->taps_height * l->taps_width * l->c_blocks;
  uint64_t tiles;
  l->bias = call->epilogue.bias != NULL || call->conv.input_zero_point != 0;
  l->params = l->bias || systole_conv_is_s8(call);
  l->params_block_bytes =
      systole_round_up((uint64_t)l->dim * SYSTOLE_PARAM_BYTES, SYSTOLE_BLOCK_ALIGN);
  if (!bytes_of(&l->tiles_bytes, steps, l->dim, l->dim)) return 0;
  l->tiles_bytes = systole_round_up(l->tiles_bytes, SYSTOLE_BLOCK_ALIGN);
  if (!systole_multiply(&tiles, l->tiles_bytes, (uint64_t)blocks) || tiles >= (uint64_t)1
                                                                                  << 46) {
    return 0;
  }
  l->params_offset = tiles;
  l->weights_bytes = tiles;
  if (l->params) l->weights_bytes += (uint64_t)blocks * l->params_block_bytes;
  return 1;
}

systole_status systole_conv_layout_make(systole_conv_layout *out,
                                        const systole_geometry *geometry,
                                        const systole_conv_call *call, int whole_kernel) {
  systole_conv_layout l = {0};
  l.dim = geometry->dim;
  if (whole_kernel) {
    take_folded(&l, call, call->conv.kernel_height, call->conv.kernel_width);
    best_bundle(&l, call);
  } else {
    choose_fold(&l, call);
  }
  if (!place_images(&l, geometry, call) || !place_weights(&l, call)) {
    return too_large(call);
  }
  *out = l;
  return SYSTOLE_OK;
}
