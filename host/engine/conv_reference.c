#include <stddef.h>

#include "engine/conv.h"
#include "engine/epilogue.h"
#include "support/memory.h"

/* One sum; modulo 2^32. */
static int32_t sum_at(const systole_conv_call *call, int64_t b, int64_t y, int64_t x,
                      int64_t o) {
  const systole_conv2d *c = &call->conv;
  const int64_t group_channels = c->channels / c->groups;
  const int64_t first_channel = o / (c->out_channels / c->groups) * group_channels;
  uint32_t sum = 0;
  for (int64_t i = 0; i < c->kernel_height; i++) {
    const int64_t line = y * c->stride_height + i * c->dilation_height - c->pad_top;
    if (line < 0 || line >= c->height) continue;
    for (int64_t j = 0; j < c->kernel_width; j++) {
      const int64_t column = x * c->stride_width + j * c->dilation_width - c->pad_left;
      if (column < 0 || column >= c->width) continue;
      const int8_t *pixel = call->input +
                            ((b * c->height + line) * c->width + column) * c->channels +
                            first_channel;
      const int8_t *weight =
          call->weights +
          ((o * c->kernel_height + i) * c->kernel_width + j) * group_channels;
      for (int64_t k = 0; k < group_channels; k++) {
        sum += (uint32_t)((pixel[k] - c->input_zero_point) * weight[k]);
      }
    }
  }
  return (int32_t)sum;
}

void systole_conv_reference_line(int32_t *sums, const systole_conv_call *call,
                                 int64_t image, int64_t line) {
  const int64_t outputs = call->conv.out_channels;
  for (int64_t x = 0; x < call->columns; x++) {
    for (int64_t o = 0; o < outputs; o++) {
      sums[x * outputs + o] = sum_at(call, image, line, x, o);
    }
  }
}

systole_status systole_conv_reference(const systole_conv_call *call) {
  const int64_t line = call->columns * call->conv.out_channels;
  void *memory;
  systole_status status =
      systole_allocate(&memory, (uint64_t)(call->lines * line), sizeof(int32_t), "sums");
  if (status != SYSTOLE_OK) return status;
  int32_t *sums = memory;
  for (int64_t b = 0; b < call->conv.batch; b++) {
    for (int64_t y = 0; y < call->lines; y++) {
      systole_conv_reference_line(sums + y * line, call, b, y);
    }
    systole_conv_finish(call, b, sums);
  }
  systole_release(memory);
  return status;
}

void systole_conv_finish(const systole_conv_call *call, int64_t image,
                         const int32_t *sums) {
  const systole_conv2d *c = &call->conv;
  const int64_t outputs = call->out_lines * call->out_columns * c->out_channels;
  systole_activation a = SYSTOLE_ACTIVATION_INIT;
  a.epilogue = &call->epilogue;
  a.has_residual = c->residual != NULL;
  a.residual_multiplier = c->residual_multiplier;
  a.residual_zero_point = c->residual_zero_point;
  a.pool = c->pool;
  a.height = call->lines;
  a.width = call->columns;
  a.window_h = c->pool_height;
  a.window_w = c->pool_width;
  a.stride_h = c->pool_stride_height;
  a.stride_w = c->pool_stride_width;
  a.pad_top = c->pool_pad_top;
  a.pad_left = c->pool_pad_left;
  if (systole_conv_is_s8(call)) {
    systole_activation_image((int8_t *)call->output + image * outputs, sums,
                             c->residual == NULL ? NULL : c->residual + image * outputs,
                             call->out_lines, call->out_columns, c->out_channels, &a);
    return;
  }
  int32_t *out = (int32_t *)call->output + image * outputs;
  const int32_t *bias = call->epilogue.bias;
  for (int64_t p = 0; p < call->lines * call->columns; p++) {
    for (int64_t o = 0; o < c->out_channels; o++) {
      const int64_t at = p * c->out_channels + o;
      out[at] = (int32_t)((uint32_t)sums[at] + (bias == NULL ? 0u : (uint32_t)bias[o]));
    }
  }
}
