#include "conv.h"

#include <string.h>

#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"
#include "tile.h"

enum { kGatherBytes = 1 << 22 }; /* of windows that wait for the product */

/* Windows of output pixels first ... first + count - 1 of an image, one a row: the input
 * of a group under each tap, the zero point where a tap lies outside. */
static void gather(int8_t *out, const systole_conv_call *call, int64_t image,
                   int64_t group, int64_t first, int64_t count) {
  const systole_conv2d *c = &call->conv;
  const int64_t in = c->channels / c->groups;
  for (int64_t p = first; p < first + count; p++) {
    const int64_t y = p / call->columns * c->stride_height - c->pad_top;
    const int64_t x = p % call->columns * c->stride_width - c->pad_left;
    for (int64_t i = 0; i < c->kernel_height; i++) {
      for (int64_t j = 0; j < c->kernel_width; j++, out += in) {
        const int64_t line = y + i * c->dilation_height;
        const int64_t column = x + j * c->dilation_width;
        if (line < 0 || line >= c->height || column < 0 || column >= c->width) {
          memset(out, c->input_zero_point, (size_t)in);
        } else {
          memcpy(out,
                 call->input +
                     ((image * c->height + line) * c->width + column) * c->channels +
                     group * in,
                 (size_t)in);
        }
      }
    }
  }
}

/* B of a group's product: [kernel][outputs], and the bias that takes the zero point out.
 */
static void turn_weights(int8_t *b, int32_t *bias, const systole_conv_call *call,
                         int64_t group, int64_t kernel, int64_t outputs) {
  for (int64_t o = 0; o < outputs; o++) {
    const int8_t *from = call->weights + (group * outputs + o) * kernel;
    int64_t sum = 0;
    for (int64_t k = 0; k < kernel; k++) {
      b[k * outputs + o] = from[k];
      sum += from[k];
    }
    bias[o] = (int32_t)(uint32_t)(uint64_t)(-call->conv.input_zero_point * sum);
  }
}

/* One more part of `parts` is done. */
static systole_status report(const systole_cpu_conv *by, const systole_conv_call *call,
                             int64_t done, int64_t parts) {
  if (by->progress == NULL) return SYSTOLE_OK;
  const double share = (double)done / (double)parts;
  if (by->progress(by->progress_user, (uint64_t)(share * (double)call->macs),
                   call->macs) == 0) {
    return SYSTOLE_OK;
  }
  return systole_fail(SYSTOLE_ERR_INTERRUPTED, "stopped after %.0f %% of a convolution",
                      100 * share);
}

static systole_status by_loops(const systole_conv_call *call, const systole_cpu_conv *by,
                               int64_t image, int32_t *sums) {
  const int64_t line = call->columns * call->conv.out_channels;
  const int64_t parts = call->conv.batch * call->lines;
  systole_status status = SYSTOLE_OK;
  for (int64_t y = 0; y < call->lines && status == SYSTOLE_OK; y++) {
    systole_conv_reference_line(sums + y * line, call, image, y);
    status = report(by, call, image * call->lines + y + 1, parts);
  }
  return status;
}

/* Sums of one image and group by the kernel's products. */
static systole_status group_sums(const systole_conv_call *call,
                                 const systole_cpu_conv *by,
                                 const systole_cpu_weights *weights, int64_t image,
                                 int64_t group, int8_t *rows, int64_t at_once,
                                 int32_t *sums) {
  const systole_conv2d *c = &call->conv;
  const int64_t depth = c->kernel_height * c->kernel_width * (c->channels / c->groups);
  const int64_t outputs = c->out_channels / c->groups,
                pixels = call->lines * call->columns;
  const int64_t parts = c->batch * c->groups * pixels;
  systole_status status = SYSTOLE_OK;
  for (int64_t p = 0; p < pixels && status == SYSTOLE_OK; p += at_once) {
    const int64_t count = pixels - p < at_once ? pixels - p : at_once;
    gather(rows, call, image, group, p, count);
    status =
        by->kernel->gemm(weights, by->room, count, rows, depth,
                         sums + p * c->out_channels + group * outputs, c->out_channels);
    if (status == SYSTOLE_OK) {
      status = report(by, call, (image * c->groups + group) * pixels + p + count, parts);
    }
  }
  return status;
}

static systole_status by_products(const systole_conv_call *call, systole_cpu_conv *by,
                                  int64_t image, int32_t *sums) {
  const systole_conv2d *c = &call->conv;
  const int64_t depth = c->kernel_height * c->kernel_width * (c->channels / c->groups);
  const int64_t outputs = c->out_channels / c->groups,
                pixels = call->lines * call->columns;
  int64_t at_once = kGatherBytes / depth;
  if (at_once < 1) at_once = 1;
  if (at_once > pixels) at_once = pixels;
  void *rows = NULL, *b = NULL, *bias = NULL;
  systole_status status =
      systole_allocate(&rows, (uint64_t)at_once, (uint64_t)depth, "gathered windows");
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&b, (uint64_t)depth, (uint64_t)outputs, "turned weights");
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&bias, (uint64_t)outputs, sizeof(int32_t), "biases");
  }
  for (int64_t g = 0; g < c->groups && status == SYSTOLE_OK; g++) {
    systole_cpu_weights *weights = NULL;
    const double began = systole_wall_seconds();
    turn_weights(b, bias, call, g, depth, outputs);
    systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
    epilogue.bias = bias;
    status =
        by->kernel->prepare(&weights, by->room, outputs, depth, b, outputs, &epilogue);
    by->prepare_s += systole_wall_seconds() - began;
    if (status == SYSTOLE_OK) {
      status = group_sums(call, by, weights, image, g, rows, at_once, sums);
    }
    by->kernel->weights_free(weights);
  }
  systole_release(bias);
  systole_release(b);
  systole_release(rows);
  return status;
}

systole_status systole_cpu_conv2d(const systole_conv_call *call, systole_cpu_conv *by) {
  const systole_conv2d *c = &call->conv;
  const int plain = strcmp(by->kernel->name, "plain-c") == 0;
  int onednn = !plain && systole_onednn_conv_usable();
  void *memory;
  systole_status status =
      systole_allocate(&memory, (uint64_t)(call->lines * call->columns),
                       (uint64_t)c->out_channels * sizeof(int32_t), "sums");
  if (status != SYSTOLE_OK) return status;
  int32_t *sums = memory;
  by->name = onednn ? "onednn-convolution" : by->kernel->name;
  for (int64_t image = 0; image < c->batch && status == SYSTOLE_OK; image++) {
    if (onednn) {
      status = systole_onednn_conv(call, image, sums, by->threads, &by->prepare_s);
      onednn = status != SYSTOLE_ERR_UNSUPPORTED;
      if (status == SYSTOLE_OK) status = report(by, call, image + 1, c->batch);
    }
    if (!onednn) {
      by->name = by->kernel->name;
      status =
          plain ? by_loops(call, by, image, sums) : by_products(call, by, image, sums);
    }
    if (status == SYSTOLE_OK) systole_conv_finish(call, image, sums);
  }
  systole_release(memory);
  return status;
}
