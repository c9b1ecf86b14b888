#include "program/conv_merge.h"

#include <string.h>

#include "card/systole_isa.h"

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

double systole_conv_tile_cycles(const systole_geometry *geometry,
                                const systole_memory_timing *memory) {
  const systole_memory_timing gmem1 = systole_memory_timing_gmem1(memory);
  const double dim = geometry->dim,
               rate = systole_memory_rate(&gmem1, geometry->axi_bytes);
  return dim * dim / (rate < dim ? rate : dim);
}

int systole_conv_merge_make(systole_conv_merge *out, const systole_conv_call *call,
                            const systole_geometry *geometry,
                            const systole_memory_timing *memory) {
  const systole_conv2d *c = &call->conv;
  /* A pool's windows would reach over the border. */
  if (c->batch < 2 || c->pool != SYSTOLE_POOLING_NONE || call->macs == 0) return 0;
  /* Without a window every layout has the batch's pixels in one column already. */
  if (c->kernel_height == 1 && c->kernel_width == 1 && c->stride_height == 1 &&
      c->stride_width == 1 && c->pad_top + c->pad_bottom == 0 &&
      c->pad_left + c->pad_right == 0) {
    return 0;
  }

  /* The padding above one image serves as that below the one before. */
  const int64_t stride = c->stride_height;
  int64_t between = c->height + max64(c->pad_top, c->pad_bottom);
  /* Outputs in wide padding may be more than the image has lines. */
  between = max64(between, call->lines * stride);
  between = (between + stride - 1) / stride * stride;
  const int64_t lines = (c->batch - 1) * between + c->height;
  if (lines >= 1 << SYSTOLE_COPY_LINES_BITS) return 0;

  /* Cycles of an image and a tile: its rows, or the tile's way in, shared by the images
   * of a strip. */
  const double tile = systole_conv_tile_cycles(geometry, memory);
  const double rows = (double)(call->lines * call->columns);
  const double tall_rows = (double)(between / stride * call->columns);
  int64_t images = (int64_t)((double)(geometry->acc_rows / 2) / tall_rows);
  images = max64(1, min64(images, c->batch));
  const double apart = rows > tile ? rows : tile;
  const double share = tile / (double)images;
  if ((tall_rows > share ? tall_rows : share) >= apart) return 0;

  out->conv = *c;
  out->conv.batch = 1;
  out->conv.height = lines;
  out->lines_between = between;
  out->out_between = between / stride;
  return 1;
}

void systole_conv_merge_input(int8_t *tall, const systole_conv_merge *merge,
                              const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  const size_t line = (size_t)(c->width * c->channels);
  const size_t image = (size_t)c->height * line;
  const size_t gap = (size_t)(merge->lines_between - c->height) * line;
  for (int64_t b = 0; b < c->batch; b++) {
    memcpy(tall, call->input + (size_t)b * image, image);
    tall += image;
    if (b + 1 == c->batch) break;
    memset(tall, c->input_zero_point, gap);
    tall += gap;
  }
}

void systole_conv_merge_output(uint8_t *tall, const systole_conv_merge *merge,
                               const systole_conv_call *call, const void *batch,
                               int64_t bytes) {
  const size_t line = (size_t)(call->out_columns * call->conv.out_channels * bytes);
  const size_t image = (size_t)call->out_lines * line;
  const size_t gap = (size_t)(merge->out_between - call->out_lines) * line;
  for (int64_t b = 0; b < call->conv.batch; b++) {
    memcpy(tall, (const uint8_t *)batch + (size_t)b * image, image);
    tall += image;
    if (b + 1 == call->conv.batch) break;
    memset(tall, 0, gap);
    tall += gap;
  }
}

void systole_conv_split_output(void *batch, const systole_conv_merge *merge,
                               const systole_conv_call *call, const uint8_t *tall,
                               int64_t bytes) {
  const size_t line = (size_t)(call->out_columns * call->conv.out_channels * bytes);
  const size_t image = (size_t)call->out_lines * line;
  for (int64_t b = 0; b < call->conv.batch; b++) {
    memcpy((uint8_t *)batch + (size_t)b * image,
           tall + (size_t)(b * merge->out_between) * line, image);
  }
}
